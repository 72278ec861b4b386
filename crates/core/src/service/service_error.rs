//! Which service of a tree failed.

use std::error::Error;
use std::fmt;

use crate::failure::Failure;

/// A service of a tree could not be started, or did not stop in order. Its source is the service's own failure.
#[derive(Debug)]
pub struct ServiceError {
    name: String,
    what: &'static str,
    error: Box<dyn Error + Send + Sync>,
}

impl ServiceError {
    pub(crate) fn new(name: &str, what: &'static str, failure: Failure) -> Self {
        Self {
            name: name.to_owned(),
            what,
            error: failure.into_error(),
        }
    }

    /// The name that the service has in its tree.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, what, error } = self;
        write!(f, "service {name:?} {what}: {error}")
    }
}

impl Error for ServiceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}
