//! Keeps programs running.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::{ExitStatus, ProcessProtocol, ProcessTransport, SignalNumber, Spawn};
use crate::deferred::{Deferred, Resolver, Settled, gather_results};
use crate::handle::Handle;
use crate::service::{Grace, NameTaken, Service};
use crate::timer::DelayedCall;

/// A service that runs programs, starts each again when it exits, and logs what they write line by line.
///
/// One that lived longer than the [threshold](MonitorOptions::threshold) is started again at once; one that died sooner
/// waits, twice as long each time. Unlike Twisted's, which waits until all pipes have ended, it goes by the exit: a
/// grandchild that was left behind with a pipe does not keep the program from being started again.
///
/// A stop asks each to end (SIGTERM), kills what is left after a while, and waits for all. Cheap to clone; every clone is the
/// same monitor.
///
/// ```
/// use ropewalk_core::process::{MonitorOptions, ProcessMonitor, Spawn};
///
/// let monitor = ProcessMonitor::new(MonitorOptions::default());
/// monitor.add_process("worker", Spawn::new("worker").arg("--queue=mail").null(0))?;
/// assert!(monitor.add_process("worker", Spawn::new("other")).is_err());
/// # Ok::<(), ropewalk_core::service::NameTaken>(())
/// ```
#[derive(Clone)]
pub struct ProcessMonitor(Rc<Monitor>);

/// The times of a [`ProcessMonitor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorOptions {
    /// Who lives longer is started again at once: 1 s.
    pub threshold: Duration,
    /// How long one may take to end before it is killed: 5 s.
    pub kill_time: Duration,
    /// How long the first restart of one that died too soon waits: 1 s.
    pub min_restart_delay: Duration,
    /// The longest such wait: 1 h. Stops a program that cannot run from using up the machine, and its log.
    pub max_restart_delay: Duration,
}

/// Longer lines of a child are cut into pieces of this size, so that one without line ends does not fill our memory.
const LONGEST_LINE: usize = 16 * 1024;

struct Monitor {
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

impl Default for MonitorOptions {
    fn default() -> Self {
        Self {
            threshold: Duration::from_secs(1),
            kill_time: Duration::from_secs(5),
            min_restart_delay: Duration::from_secs(1),
            max_restart_delay: Duration::from_secs(3600),
        }
    }
}

impl ProcessMonitor {
    /// A monitor of nothing yet.
    #[must_use]
    pub fn new(options: MonitorOptions) -> Self {
        Self(Rc::new(Monitor {
            options,
            handle: RefCell::default(),
            watched: RefCell::default(),
            stopping: RefCell::default(),
        }))
    }

    /// Adds a program under a name that is used in the log. It is started soon, if the monitor is.
    ///
    /// # Errors
    ///
    /// There is one of that name.
    #[doc(alias = "addProcess")]
    pub fn add_process(&self, name: impl Into<String>, spawn: Spawn) -> Result<(), NameTaken> {
        let name = name.into();
        if self.0.watched.borrow().contains_key(&name) {
            return Err(NameTaken(name));
        }
        let watched = Watched {
            spawn: spawn.kill_at_stop(),
            delay: self.0.options.min_restart_delay,
            state: State::Down,
        };
        self.0.watched.borrow_mut().insert(name.clone(), watched);
        self.0.restart(&name);
        Ok(())
    }

    /// Stops a program and forgets it; `false` if there is none of that name.
    #[doc(alias = "removeProcess")]
    pub fn remove_process(&self, name: &str) -> bool {
        self.stop_process(name);
        let gone = self.0.watched.borrow_mut().remove(name);
        if let Some(State::Waiting(restart)) = gone.as_ref().map(|watched| &watched.state) {
            let _due_already = restart.cancel();
        }
        gone.is_some()
    }

    /// Asks a program to end, and kills it if it does not in time. As it is watched, it is then started again.
    #[doc(alias = "stopProcess")]
    pub fn stop_process(&self, name: &str) {
        self.0.end(name);
    }

    /// Ends every program, to be started again: for new versions of them.
    #[doc(alias = "restartAll")]
    pub fn restart_all(&self) {
        for name in self.names() {
            self.0.end(&name);
        }
    }

    /// The names of what is watched.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.watched.borrow().keys().cloned().collect()
    }

    /// The number of a program's process, while it runs.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<u32> {
        match self.0.watched.borrow().get(name)?.state {
            State::Running { ref transport, .. } => Some(transport.pid()),
            _ => None,
        }
    }
}

impl Service for ProcessMonitor {
    /// Fails if one of the programs cannot be started; the others are then ended.
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        *self.0.handle.borrow_mut() = Some(handle.clone());
        let names = self.names();
        let launched: Vec<_> = names
            .iter()
            .filter_map(|name| self.0.launch(name, handle))
            .collect();
        let (monitor, own) = (Rc::clone(&self.0), handle.clone());
        gather_results(handle, launched).add_both(move |result| match result {
            Ok(_) => Settled::Now(Ok(())),
            Err(failure) => Settled::Later(monitor.stop(&own).add_both(|_| Err(failure))),
        })
    }

    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        self.0.stop(handle)
    }

    /// A little more than it takes to kill one.
    fn grace(&self) -> Option<Grace> {
        let soft = self.0.options.kill_time + Duration::from_secs(1);
        Some(Grace::new(soft))
    }
}

impl fmt::Debug for ProcessMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessMonitor({:?})", self.names())
    }
}

impl Monitor {
    fn is_stopping(&self) -> bool {
        self.stopping.borrow().is_some()
    }

    /// Starts a program that is down; `None` if it is not.
    fn launch(self: &Rc<Self>, name: &str, handle: &Handle) -> Option<Deferred<()>> {
        let mut watched = self.watched.borrow_mut();
        let watched = watched.get_mut(name)?;
        if !matches!(watched.state, State::Down) {
            return None;
        }
        watched.state = State::Starting;
        let protocol = Logged::new(self, name);
        let launched = handle.spawn_process(&watched.spawn, protocol);
        let (monitor, name) = (Rc::clone(self), name.to_owned());
        Some(launched.add_both(move |result| {
            if result.is_err() {
                monitor.set_down(&name);
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
        let (monitor, name) = (Rc::clone(self), name.to_owned());
        if let Some(launched) = self.launch(&name, &handle) {
            launched.on_result(move |result| {
                if let Err(error) = result {
                    tracing::error!(process = name, %error, "a watched process cannot be started");
                    monitor.start_again(&name, Duration::ZERO);
                }
            });
        }
    }

    fn started(self: &Rc<Self>, name: &str, transport: &ProcessTransport) {
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

    fn exited(self: &Rc<Self>, name: &str, transport: &ProcessTransport, status: ExitStatus) {
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
        let (monitor, own) = (Rc::clone(self), name.to_owned());
        let restart = handle.call_later(wait, move |_| {
            monitor.set_down(&own);
            monitor.restart(&own);
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
    fn end(&self, name: &str) {
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

    fn stop(&self, handle: &Handle) -> Deferred<()> {
        let (stopped, resolver) = Deferred::new(handle);
        *self.stopping.borrow_mut() = Some(resolver);
        let names: Vec<String> = self.watched.borrow().keys().cloned().collect();
        for name in names {
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

/// Hears of a watched program, and logs what it writes.
struct Logged {
    monitor: Rc<Monitor>,
    name: String,
    out: Lines,
    err: Lines,
}

impl Logged {
    fn new(monitor: &Rc<Monitor>, name: &str) -> Self {
        Self {
            monitor: Rc::clone(monitor),
            name: name.to_owned(),
            out: Lines::default(),
            err: Lines::default(),
        }
    }
}

impl ProcessProtocol for Logged {
    fn process_started(&mut self, transport: &ProcessTransport) {
        self.monitor.started(&self.name, transport);
    }

    fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let process = &self.name;
        self.out
            .feed(data, |line| tracing::info!(process, "{line}"));
        rest_until_next_turn(transport, 1);
    }

    fn err_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let process = &self.name;
        self.err
            .feed(data, |line| tracing::warn!(process, "{line}"));
        rest_until_next_turn(transport, 2);
    }

    fn process_exited(&mut self, transport: &ProcessTransport, status: ExitStatus) {
        self.monitor.exited(&self.name, transport, status);
    }

    fn process_ended(&mut self, transport: &ProcessTransport, _status: ExitStatus) {
        for descriptor in [1, 2] {
            self.child_data_received(transport, descriptor, b"\n");
        }
    }
}

/// Reads no more in this turn: a piece may be thousands of lines to log, and a program that writes without end must not keep
/// signals and other programs waiting for several of them.
fn rest_until_next_turn(transport: &ProcessTransport, descriptor: u32) {
    if let Some(pipe) = transport.pipe(descriptor) {
        pipe.pause_reading();
        transport
            .reactor()
            .call_soon(move |_| pipe.resume_reading());
    }
}

/// Cuts into lines what comes in pieces.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Gives each line that is complete; none that is empty.
    fn feed(&mut self, mut data: &[u8], mut give: impl FnMut(&str)) {
        while !data.is_empty() {
            let room = LONGEST_LINE - self.partial.len();
            let next = &data[..room.min(data.len())];
            let end = next.iter().position(|byte| *byte == b'\n');
            let (taken, rest) = data.split_at(end.map_or(next.len(), |end| end + 1));
            self.partial.extend_from_slice(taken);
            data = rest;
            if end.is_some() || self.partial.len() == LONGEST_LINE {
                let line = self.partial.trim_ascii_end();
                if !line.is_empty() {
                    give(&String::from_utf8_lossy(line));
                }
                self.partial.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut cut) = (Vec::new(), Lines::default());
        for piece in pieces {
            cut.feed(piece, |line| lines.push(line.to_owned()));
        }
        lines
    }

    #[test]
    fn lines_are_cut_at_their_ends_however_they_come() {
        assert_eq!(lines(&[b"one\r\ntw", b"o\n\nthr", b"ee"]), ["one", "two"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; LONGEST_LINE];
        let cut = lines(&[&long[1..], b"yz\n"]);
        assert_eq!(cut.len(), 2);
        assert!(cut[0].len() == LONGEST_LINE && cut[0].ends_with('y'));
        assert_eq!(cut[1], "z");
    }

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
