//! How a child ended.

use std::fmt;

use super::SignalNumber;

/// How a child ended.
///
/// ```
/// use ropewalk_core::process::{ExitStatus, SignalNumber};
///
/// assert!(ExitStatus::Code(0).is_success());
/// let killed = ExitStatus::Signal { signal: SignalNumber::KILL, core_dumped: false };
/// assert_eq!(killed.to_string(), "ended by SIGKILL");
/// assert_eq!(killed.code(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitStatus {
    /// By itself, with this code; 0 is success.
    #[doc(alias = "ProcessDone")]
    Code(i32),
    /// By a signal.
    #[doc(alias = "ProcessTerminated")]
    Signal {
        /// Which.
        signal: SignalNumber,
        /// Whether it left a core.
        core_dumped: bool,
    },
    /// Somebody else in this process waited for it: nobody can say.
    Unknown,
}

impl ExitStatus {
    /// Whether it ended by itself with code 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The code, unless a signal ended it.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            _ => None,
        }
    }

    /// The signal, if one ended it.
    #[must_use]
    pub const fn signal(self) -> Option<SignalNumber> {
        match self {
            Self::Signal { signal, .. } => Some(signal),
            _ => None,
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal {
                signal,
                core_dumped,
            } => {
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(f, "ended by {signal}{core}")
            }
            Self::Unknown => f.write_str("ended, and somebody else waited for it"),
        }
    }
}
