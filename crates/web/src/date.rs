//! The header `Date`, made once a second.

use std::cell::Cell;

use httpdate::HttpDate;
use ropewalk_core::Handle;

/// The text of this second, or of the one before: seconds of the calendar begin when they like (RFC 9110 5.6.7).
#[derive(Debug, Default)]
pub(crate) struct Date(Cell<Option<(u64, [u8; LENGTH])>>);

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const LENGTH: usize = 29;

impl Date {
    pub(crate) fn text(&self, reactor: &Handle) -> [u8; LENGTH] {
        let second = reactor.turn_time().as_secs();
        match self.0.get() {
            Some((made, text)) if made == second => text,
            _ => {
                let text = HttpDate::from(reactor.wall_time()).to_string();
                let text = text
                    .as_bytes()
                    .try_into()
                    .expect("this form of a date has 29 bytes");
                self.0.set(Some((second, text)));
                text
            }
        }
    }
}
