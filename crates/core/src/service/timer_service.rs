//! A looping call as a service.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::deferred::{Answer, Deferred};
use crate::handle::Handle;
use crate::service::Service;
use crate::timer::LoopingCall;

type MakeLoop = Box<dyn FnMut(&Handle) -> LoopingCall>;

/// Calls a function at fixed intervals for as long as it is started, the first time at once; see [`LoopingCall`]. Its stop
/// waits for the call that goes on. A call that fails is logged and ends the calls, as in Twisted.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::service::{MultiService, TimerService};
///
/// let services = MultiService::new()
///     .with("beat", TimerService::new(Duration::from_secs(30), |_| println!("still here")));
/// # let _ = services;
/// ```
pub struct TimerService {
    interval: Duration,
    make: MakeLoop,
    running: Option<(LoopingCall, Deferred<()>)>,
}

impl TimerService {
    /// The function may return nothing, a `Result`, or a Deferred, which is waited for before the next call.
    #[must_use]
    pub fn new<R: Answer>(interval: Duration, call: impl FnMut(&Handle) -> R + 'static) -> Self {
        let call = Rc::new(RefCell::new(call));
        let make = move |handle: &Handle| {
            let (call, own) = (Rc::clone(&call), handle.clone());
            LoopingCall::new(handle, move || (call.borrow_mut())(&own))
        };
        Self {
            interval,
            make: Box::new(make),
            running: None,
        }
    }
}

impl Service for TimerService {
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        let looping = (self.make)(handle);
        let ended = match looping.start(self.interval) {
            Ok(ended) => ended.add_both(|result| {
                result.map(drop).or_else(|failure| {
                    tracing::error!("a timer service ends, as its call failed: {failure:#}");
                    Ok(())
                })
            }),
            Err(runs_already) => Deferred::fail(handle, runs_already),
        };
        self.running = Some((looping, ended));
        Deferred::succeed(handle, ())
    }

    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        let Some((looping, ended)) = self.running.take() else {
            return Deferred::succeed(handle, ());
        };
        let _it_may_have_failed = looping.stop();
        ended
    }
}
