//! Which programs run, which wait to be started again, and which are to end.
//!
//! ```text
//!   Down ──► Starting ──► Running ──► Down, and for good at a stop
//!              ▲  └ failed ──┐ └ exited
//!              └── Waiting ◄─┴──────┘
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::MonitorOptions;
use super::logged::Logged;
use crate::deferred::{Deferred, Resolver};
use crate::handle::Handle;
use crate::process::{ExitStatus, ProcessTransport, SignalNumber, Spawn};
use crate::service::NameTaken;
use crate::timer::DelayedCall;

/// What is watched, and in what state it is.
pub(super) struct Keeper {
    options: MonitorOptions,
    /// While it is started.
    handle: RefCell<Option<Handle>>,
    watched: RefCell<BTreeMap<String, Watched>>,
    /// Somebody waits until none runs any more.
    stopping: RefCell<Option<Resolver<()>>>,
}

struct Watched {
    spawn: Spawn,
    /// How long the next restart waits, if it dies too soon.
    delay: Duration,
    state: State,
}

enum State {
    Down,
    /// It is started at the end of this turn.
    Starting,
    Running {
        transport: ProcessTransport,
        since: Duration,
        /// It was asked to end.
        killing: Option<DelayedCall>,
    },
    Waiting(DelayedCall),
}

impl Keeper {
    pub(super) fn new(options: MonitorOptions) -> Self {
        Self {
            options,
            handle: RefCell::default(),
            watched: RefCell::default(),
            stopping: RefCell::default(),
        }
    }

    pub(super) fn options(&self) -> &MonitorOptions {
        &self.options
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.watched.borrow().keys().cloned().collect()
    }

    pub(super) fn pid(&self, name: &str) -> Option<u32> {
        match self.watched.borrow().get(name)?.state {
            State::Running { ref transport, .. } => Some(transport.pid()),
            _ => None,
        }
    }

    /// Programs may be started from now on.
    pub(super) fn begin(&self, handle: &Handle) {
        *self.handle.borrow_mut() = Some(handle.clone());
    }

    pub(super) fn add(self: &Rc<Self>, name: String, spawn: Spawn) -> Result<(), NameTaken> {
        if self.watched.borrow().contains_key(&name) {
            return Err(NameTaken(name));
        }
        let watched = Watched {
            spawn,
            delay: self.options.min_restart_delay,
            state: State::Down,
        };
        self.watched.borrow_mut().insert(name.clone(), watched);
        self.restart(&name);
        Ok(())
    }

    /// Whether there was one of that name.
    pub(super) fn forget(&self, name: &str) -> bool {
        let gone = self.watched.borrow_mut().remove(name);
        if let Some(State::Waiting(restart)) = gone.as_ref().map(|watched| &watched.state) {
            let _due_already = restart.cancel();
        }
        gone.is_some()
    }

    fn is_stopping(&self) -> bool {
        self.stopping.borrow().is_some()
    }

    /// Starts a program that is down; `None` if it is not.
    pub(super) fn launch(self: &Rc<Self>, name: &str, handle: &Handle) -> Option<Deferred<()>> {
        let mut watched = self.watched.borrow_mut();
        let watched = watched.get_mut(name)?;
        if !matches!(watched.state, State::Down) {
            return None;
        }
        watched.state = State::Starting;
        let protocol = Logged::new(self, name);
        let launched = handle.spawn_process(&watched.spawn, protocol);
        let (keeper, name) = (Rc::clone(self), name.to_owned());
        Some(launched.add_both(move |result| {
            if result.is_err() {
                keeper.set_down(&name);
            }
            result.map(drop)
        }))
    }

    /// [`launch`](Self::launch) for those that nobody waits for: one that cannot be started counts as one that died at
    /// once.
    fn restart(self: &Rc<Self>, name: &str) {
        let Some(handle) = self.handle.borrow().clone() else {
            return;
        };
        let (keeper, name) = (Rc::clone(self), name.to_owned());
        if let Some(launched) = self.launch(&name, &handle) {
            launched.on_result(move |result| {
                if let Err(error) = result {
                    tracing::error!(process = name, %error, "a watched process cannot be started");
                    keeper.start_again(&name, Duration::ZERO);
                }
            });
        }
    }

    pub(super) fn started(self: &Rc<Self>, name: &str, transport: &ProcessTransport) {
        let since = transport.reactor().now();
        let mut all = self.watched.borrow_mut();
        let watched = all.get_mut(name);
        let Some(watched) = watched.filter(|watched| matches!(watched.state, State::Starting))
        else {
            // Removed meanwhile.
            let _exited = transport.signal_process(SignalNumber::TERMINATE);
            return;
        };
        tracing::info!(process = name, pid = transport.pid(), "started");
        watched.state = State::Running {
            transport: transport.clone(),
            since,
            killing: None,
        };
        drop(all);
        if self.is_stopping() {
            self.end(name);
        }
    }

    pub(super) fn exited(
        self: &Rc<Self>,
        name: &str,
        transport: &ProcessTransport,
        status: ExitStatus,
    ) {
        tracing::info!(process = name, pid = transport.pid(), %status, "exited");
        let Some(since) = self.take_exited(name, transport.pid()) else {
            return;
        };
        let lived = transport.reactor().now().saturating_sub(since);
        self.start_again(name, lived);
        self.conclude();
    }

    /// The program is down, and since when it was up; `None` if this process is not of one that is watched.
    fn take_exited(&self, name: &str, pid: u32) -> Option<Duration> {
        let mut watched = self.watched.borrow_mut();
        let watched = watched.get_mut(name)?;
        let State::Running {
            transport,
            since,
            killing,
        } = &watched.state
        else {
            return None;
        };
        if transport.pid() != pid {
            return None;
        }
        if let Some(killing) = killing {
            let _due_already = killing.cancel();
        }
        let since = *since;
        watched.state = State::Down;
        Some(since)
    }

    fn start_again(self: &Rc<Self>, name: &str, lived: Duration) {
        let Some(handle) = self.handle.borrow().clone() else {
            return;
        };
        let mut watched = self.watched.borrow_mut();
        let Some(watched) = watched.get_mut(name).filter(|_| !self.is_stopping()) else {
            return;
        };
        let wait = watched.wait_before_restart(&self.options, lived);
        let (keeper, own) = (Rc::clone(self), name.to_owned());
        let restart = handle.call_later(wait, move |_| {
            keeper.set_down(&own);
            keeper.restart(&own);
        });
        watched.state = State::Waiting(restart);
    }

    fn set_down(&self, name: &str) {
        if let Some(watched) = self.watched.borrow_mut().get_mut(name) {
            watched.state = State::Down;
        }
        self.conclude();
    }

    /// Asks a program to end, and kills it if it does not.
    pub(super) fn end(&self, name: &str) {
        let mut watched = self.watched.borrow_mut();
        let Some(watched) = watched.get_mut(name) else {
            return;
        };
        match &mut watched.state {
            State::Running {
                transport,
                killing: killing @ None,
                ..
            } => {
                let _exited = transport.signal_process(SignalNumber::TERMINATE);
                let (own, name) = (transport.clone(), name.to_owned());
                let after = self.options.kill_time;
                let kill = transport.reactor().call_later(after, move |_| {
                    tracing::warn!(
                        process = name,
                        pid = own.pid(),
                        ?after,
                        "does not end; killed"
                    );
                    own.kill();
                });
                *killing = Some(kill);
            }
            State::Waiting(restart) if self.is_stopping() => {
                let _due_already = restart.cancel();
                watched.state = State::Down;
            }
            _ => {}
        }
    }

    pub(super) fn stop(&self, handle: &Handle) -> Deferred<()> {
        let (stopped, resolver) = Deferred::new(handle);
        *self.stopping.borrow_mut() = Some(resolver);
        for name in self.names() {
            self.end(&name);
        }
        self.conclude();
        stopped
    }

    /// A stop is over once nothing runs.
    fn conclude(&self) {
        let watched = self.watched.borrow();
        let is_down = |watched: &Watched| matches!(watched.state, State::Down);
        if self.is_stopping() && watched.values().all(is_down) {
            *self.handle.borrow_mut() = None;
            if let Some(stopping) = self.stopping.take() {
                let _nobody_waits = stopping.resolve(());
            }
        }
    }
}

impl Watched {
    /// How long to wait, and the next time twice as long if it died too soon.
    fn wait_before_restart(&mut self, options: &MonitorOptions, lived: Duration) -> Duration {
        if lived >= options.threshold {
            self.delay = options.min_restart_delay;
            return Duration::ZERO;
        }
        let wait = self.delay;
        self.delay = wait.saturating_mul(2).min(options.max_restart_delay);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_dies_too_soon_waits_twice_as_long_each_time() {
        let options = MonitorOptions::default();
        let mut watched = Watched {
            spawn: Spawn::new("x"),
            delay: options.min_restart_delay,
            state: State::Down,
        };
        let mut wait = |lived| watched.wait_before_restart(&options, Duration::from_millis(lived));
        let waits: Vec<u64> = (0..14).map(|_| wait(999).as_secs()).collect();
        assert_eq!(
            waits,
            [
                1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600
            ]
        );
        assert_eq!(wait(1000), Duration::ZERO, "it lived long enough");
        assert_eq!(wait(0).as_secs(), 1);
    }
}
