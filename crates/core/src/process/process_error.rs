//! What can go wrong with children.

use std::fmt;
use std::io;

/// A child could not be started; there is none.
#[derive(Debug)]
pub struct SpawnError {
    /// The program asked for.
    pub program: String,
    /// The kernel's error, or why the driver cannot.
    pub error: io::Error,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start {:?}: {}", self.program, self.error)?;
        f.write_str(match self.error.kind() {
            io::ErrorKind::NotFound if self.error.raw_os_error().is_some() => {
                "; is it installed, and in PATH?"
            }
            io::ErrorKind::PermissionDenied if self.error.raw_os_error().is_some() => {
                "; is it executable, and may this user run it as that user?"
            }
            _ => "",
        })
    }
}

impl std::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A child has exited: there is nobody to signal (R92).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessExitedAlready;

impl fmt::Display for ProcessExitedAlready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the process has exited already; it cannot be signalled")
    }
}

impl std::error::Error for ProcessExitedAlready {}

/// A child wrote more than was wanted; it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputTooLong {
    /// The limit, [`OutputOptions::limit_bytes`](super::OutputOptions::limit_bytes).
    pub limit_bytes: usize,
}

impl fmt::Display for OutputTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit_bytes;
        write!(
            f,
            "the process wrote more than {limit} bytes and was killed; allow more with OutputOptions::limit_bytes"
        )
    }
}

impl std::error::Error for OutputTooLong {}
