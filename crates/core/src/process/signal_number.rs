//! Signals that a child can be sent, or that ended one.

use std::fmt;

use crate::driver::Signal;

/// A signal, by its number on this system.
///
/// ```
/// use ropewalk_core::process::SignalNumber;
///
/// assert_eq!(SignalNumber::TERMINATE.to_string(), "SIGTERM");
/// assert_eq!(SignalNumber::new(40).unwrap().to_string(), "signal 40");
/// assert_eq!(SignalNumber::new(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalNumber(i32);

/// Those whose numbers are the same on every system.
const NAMES: &[(i32, &str)] = &[
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (14, "SIGALRM"),
    (15, "SIGTERM"),
];

impl SignalNumber {
    /// `SIGHUP`: by custom, reload.
    pub const HANGUP: Self = Self(1);
    /// `SIGINT`: what Ctrl-C sends.
    pub const INTERRUPT: Self = Self(2);
    /// `SIGQUIT`: end, and leave a core.
    pub const QUIT: Self = Self(3);
    /// `SIGKILL`: ends it at once; it cannot be caught.
    pub const KILL: Self = Self(9);
    /// `SIGTERM`: please end.
    pub const TERMINATE: Self = Self(15);

    /// The signal of this number; `None` outside of 1 to 127, where no system has one.
    #[must_use]
    pub const fn new(number: i32) -> Option<Self> {
        match number {
            1..=127 => Some(Self(number)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl From<Signal> for SignalNumber {
    fn from(signal: Signal) -> Self {
        Self(signal.number())
    }
}

impl fmt::Display for SignalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}
