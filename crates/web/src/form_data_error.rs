//! Why a form could not be read.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use ropewalk_grammar::multipart::{BoundaryError, MultipartError};

use crate::body_error::BodyError;
use crate::form::FormError;

/// Why the body of a request is no form, or not one that is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormDataError {
    /// It is of this type, which is none of forms.
    Type(Box<str>),
    /// Its boundary is missing or malformed.
    Boundary(BoundaryError),
    /// A rule of multipart bodies was broken, or one of their limits.
    Multipart(MultipartError),
    /// There are too many names.
    Form(FormError),
    /// Its fields, which are held in memory, have more bytes than this (H1-24).
    FieldsTooLarge(u64),
    /// This field is text, and not in UTF-8.
    NotText(Box<str>),
    /// It did not come, or is too long.
    Body(BodyError),
    /// A file could not be stored. The client is told nothing of it.
    Disk(Box<str>),
}

impl FormDataError {
    /// What to answer.
    pub fn status(&self) -> StatusCode {
        let of_code = |code| StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST);
        match self {
            Self::Type(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Boundary(_) | Self::NotText(_) => StatusCode::BAD_REQUEST,
            Self::Multipart(error) => of_code(error.status()),
            Self::Form(error) => of_code(error.status()),
            Self::FieldsTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(error) => error.status(),
            Self::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<MultipartError> for FormDataError {
    fn from(error: MultipartError) -> Self {
        Self::Multipart(error)
    }
}

impl From<FormError> for FormDataError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<BodyError> for FormDataError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl fmt::Display for FormDataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(other) => write!(
                f,
                "the body is of the type '{}'; a form is application/x-www-form-urlencoded or multipart/form-data",
                other.escape_debug()
            ),
            Self::Boundary(error) => fmt::Display::fmt(error, f),
            Self::Multipart(error) => fmt::Display::fmt(error, f),
            Self::Form(error) => fmt::Display::fmt(error, f),
            Self::FieldsTooLarge(limit) => write!(
                f,
                "the fields of the form have more than {limit} bytes; send what is long as a file"
            ),
            Self::NotText(name) => {
                write!(f, "the field '{}' is not UTF-8", name.escape_debug())
            }
            Self::Body(error) => fmt::Display::fmt(error, f),
            Self::Disk(problem) => write!(f, "an uploaded file cannot be stored: {problem}"),
        }
    }
}

impl Error for FormDataError {}
