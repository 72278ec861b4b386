//! The handle for other threads.

use std::sync::Arc;

use crate::failure::ReactorGone;
use crate::handle::Handle;
use crate::mailbox::Mailbox;
use crate::outcome::Outcome;

/// A handle on a reactor for other threads: the only safe door into the loop.
#[derive(Clone)]
pub struct Remote(Arc<Mailbox>);

impl Remote {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self(mailbox)
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    /// Runs a function on the reactor's thread, soon; in the order of these calls, and a sleeping reactor wakes at once
    /// (R32). Before the reactor runs they are kept (R33).
    ///
    /// # Errors
    ///
    /// The reactor is gone; the function was dropped.
    #[doc(alias = "callFromThread")]
    pub fn call<R: Outcome>(
        &self,
        call: impl FnOnce(&Handle) -> R + Send + 'static,
    ) -> Result<(), ReactorGone> {
        let call = Box::new(move |handle: &Handle| call(handle).log_error("a call from a thread"));
        self.0.call(call)
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remote")
    }
}
