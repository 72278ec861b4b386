//! A path or query parameter that is not what a handler wants.

use std::error::Error;
use std::fmt;

use http::StatusCode;

/// A parameter is missing, or cannot be read as the wanted type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamError {
    pub(crate) name: Box<str>,
    pub(crate) problem: Option<Box<str>>,
}

impl ParamError {
    /// The route has no parameter of this name.
    pub(crate) fn missing(name: &str) -> Self {
        Self {
            name: name.into(),
            problem: None,
        }
    }

    /// 404: no such page is there, as the path says something that no page has.
    pub fn status(&self) -> StatusCode {
        match self.problem {
            Some(_) => StatusCode::NOT_FOUND,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.problem {
            Some(problem) => write!(f, "the parameter '{name}' of the path: {problem}"),
            None => write!(f, "the path of this route has no parameter '{name}'"),
        }
    }
}

impl Error for ParamError {}
