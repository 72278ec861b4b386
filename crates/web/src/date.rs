//! The header `Date`, made once a second.

use std::cell::Cell;
use std::time::Duration;

use httpdate::HttpDate;
use ropewalk_core::Handle;

/// The text of the current second (RFC 9110 5.6.7).
#[derive(Debug, Default)]
pub(crate) struct Date(Cell<Option<(u64, [u8; LENGTH])>>);

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const LENGTH: usize = 29;

/// The text is made anew when so much time of the reactor has passed; it is late by that much at most.
const STALE: Duration = Duration::from_millis(250);

impl Date {
    pub(crate) fn text(&self, reactor: &Handle) -> [u8; LENGTH] {
        let slot = (reactor.turn_time().as_millis() / STALE.as_millis()) as u64;
        match self.0.get() {
            Some((made, text)) if made == slot => text,
            _ => {
                let text = HttpDate::from(reactor.wall_time()).to_string();
                let text = text
                    .as_bytes()
                    .try_into()
                    .expect("this form of a date has 29 bytes");
                self.0.set(Some((slot, text)));
                text
            }
        }
    }
}
