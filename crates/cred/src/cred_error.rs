//! Why somebody is not let in.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a login failed. Tell a peer no more than this: whether the name or the password was wrong is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredError {
    /// The credentials prove nothing: an unknown name, or a wrong password or token.
    Unauthorized,
    /// No checker of the portal judges such credentials.
    Unsupported,
    /// There were too many failures by this peer or for this user; there is a next attempt after so long.
    TooManyFailures(Duration),
    /// Too many passwords wait to be hashed.
    Busy,
}

impl fmt::Display for CredError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized => f.write_str("the credentials are wrong"),
            Self::Unsupported => f.write_str(
                "no checker judges such credentials; give the portal one by Portal::with_checker",
            ),
            Self::TooManyFailures(wait) => write!(
                f,
                "there were too many failed logins; the next attempt is in {} s",
                wait.as_secs() + 1
            ),
            Self::Busy => f.write_str("too many logins wait; try again"),
        }
    }
}

impl Error for CredError {}
