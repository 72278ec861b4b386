//! The header `Date`, made once a second.

use std::cell::Cell;

use httpdate::HttpDate;
use ropewalk_core::Handle;

/// The text of this second, or of the one before: seconds of the calendar begin when they like (RFC 9110 5.6.7).
#[derive(Debug, Default)]
pub(crate) struct Date(Cell<Option<DateText>>);

/// A date, and the second of the reactor in which it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateText {
    pub(crate) second: u64,
    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    pub(crate) text: [u8; 29],
}

impl Date {
    /// The second of the reactor that it is.
    pub(crate) fn second(reactor: &Handle) -> u64 {
        reactor.turn_time().as_secs()
    }

    pub(crate) fn text(&self, reactor: &Handle) -> DateText {
        let second = Self::second(reactor);
        match self.0.get() {
            Some(made) if made.second == second => made,
            _ => {
                let text = HttpDate::from(reactor.wall_time()).to_string();
                let text = text.as_bytes().try_into();
                let text = text.expect("this form of a date has 29 bytes");
                let made = DateText { second, text };
                self.0.set(Some(made));
                made
            }
        }
    }
}
