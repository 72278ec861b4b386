//! What a reactor perceives of the world outside of its connections: time and chance, which are the driver's.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::driver::Driver;

pub(crate) struct Senses {
    pub(crate) clock: Rc<dyn Fn() -> Duration>,
    pub(crate) wall_clock: Rc<dyn Fn() -> SystemTime>,
    pub(crate) entropy: Rc<dyn Fn() -> u64>,
    pub(crate) seed: u64,
}

impl Senses {
    pub(crate) fn of(driver: &mut impl Driver) -> Self {
        Self {
            clock: driver.clock(),
            wall_clock: driver.wall_clock(),
            entropy: driver.entropy(),
            seed: driver.seed(),
        }
    }

    /// Nothing but a clock, for tests below the driver.
    #[cfg(test)]
    pub(crate) fn of_clock(clock: Rc<dyn Fn() -> Duration>) -> Self {
        Self {
            clock,
            wall_clock: Rc::new(|| SystemTime::UNIX_EPOCH),
            entropy: Rc::new(|| 7),
            seed: 1,
        }
    }
}
