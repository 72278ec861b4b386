//! Ends a `poll` from another thread.
//!
//! Many calls before one `poll` cost one system call: a flag says that the poll will return anyway. The counter of an
//! eventfd (or the pipe of kqueue systems, which mio drains when it is full) never blocks the caller, so any number of
//! wake-ups may be outstanding (rule 34).

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Registry;
use ropewalk_core::driver::Wake;

use crate::token::Target;

pub(crate) struct MioWaker {
    waker: mio::Waker,
    /// Somebody woke the driver, which has not seen it yet.
    woken: AtomicBool,
}

impl MioWaker {
    pub(crate) fn new(registry: &Registry) -> io::Result<Self> {
        let waker = mio::Waker::new(registry, Target::Waker.token())?;
        Ok(Self {
            waker,
            woken: AtomicBool::new(false),
        })
    }

    /// The driver saw the wake-up; the next one must wake it again.
    ///
    /// A swap and not a store: it orders what other threads queued before they found the flag set before what the
    /// reactor does after `poll`.
    pub(crate) fn seen(&self) {
        self.woken.swap(false, Ordering::AcqRel);
    }
}

impl Wake for MioWaker {
    fn wake(&self) {
        if self.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.waker.wake() {
            self.woken.store(false, Ordering::Release);
            tracing::error!(%error, "cannot wake the reactor");
        }
    }
}
