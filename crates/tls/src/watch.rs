//! When certificates are read again: at a signal, and when their files change.

use std::time::Duration;

use ropewalk_core::Handle;
use ropewalk_core::timer::LoopingCall;

use crate::certificates::Certificates;

impl Certificates {
    /// How often [`watch`](Self::watch) looks, where nothing else is said.
    pub const DEFAULT_PERIOD: Duration = Duration::from_secs(5);

    /// Looks every so often whether a file changed, and then [`reload`](Self::reload)s. What goes wrong is logged; the loop
    /// goes on until it is stopped.
    ///
    /// It looks at time and size of each file, which costs no more than that many system calls.
    #[must_use = "stop it when the server stops, or let it run for ever"]
    pub fn watch(&self, handle: &Handle, period: Duration) -> LoopingCall {
        let certificates = self.clone();
        let watch = LoopingCall::new(handle, move || {
            let _logged_already = certificates.reload_if_changed();
        });
        let _never_fires = watch.start_later(period); // a new loop does not run yet
        watch
    }

    /// [`reload`](Self::reload)s at every SIGHUP. What goes wrong is logged.
    pub fn reload_on_hangup(&self, handle: &Handle) {
        let certificates = self.clone();
        handle.on_hangup(move |_| {
            let _logged_already = certificates.reload();
        });
    }
}
