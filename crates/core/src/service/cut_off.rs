//! What did not end in time.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Something was still going on at the hard deadline of a [`Grace`](crate::Grace), and was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    /// How long it was waited for.
    pub after: Duration,
    /// How much of what was left, with an example: a peer, or where a task was spawned.
    pub left: String,
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, left } = self;
        write!(f, "cut off after {after:?}: {left}")
    }
}

impl Error for CutOff {}
