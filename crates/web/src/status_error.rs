//! An error that says what to answer.

use std::error::Error;
use std::fmt;

use http::StatusCode;

/// An error with a status, which a handler gives back by `?`.
///
/// ```
/// use ropewalk_web::{Failure, StatusCode, StatusError};
///
/// fn cups(ordered: u32) -> Result<String, Failure> {
///     match ordered {
///         0..100 => Ok(format!("{ordered} cups")),
///         _ => Err(StatusError::new(StatusCode::UNPROCESSABLE_ENTITY, "at most 99 cups").into()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusError {
    status: StatusCode,
    detail: Option<Box<str>>,
}

impl StatusError {
    /// This status; `detail` is shown to the client.
    pub fn new(status: StatusCode, detail: impl Into<Box<str>>) -> Self {
        Self {
            status,
            detail: Some(detail.into()),
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What the client is told beside it.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl From<StatusCode> for StatusError {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            detail: None,
        }
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{}: {detail}", self.status),
            None => write!(f, "{}", self.status),
        }
    }
}

impl Error for StatusError {}
