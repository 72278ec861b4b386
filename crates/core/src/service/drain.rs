//! The end of what goes on: of everything, or of one scope.
//!
//! ```text
//!   begin: stop accepting, tell protocols ─► waiting ─► closing ─► done
//!                                              │  idle connections are closed, work ends by itself
//!                                              └─ nothing left, or the soft deadline: the rest is cancelled and closed;
//!                                                 at the hard one it is cut off
//! ```
//!
//! It looks when something has ended and every [`TICK`], at the end of a turn. No user code but protocols' callbacks runs
//! from here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::address::Address;
use crate::connection::Connection;
use crate::deferred::{Canceller, Deferred, Resolver};
use crate::driver::ConnId;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::registry::Owner;
use crate::service::owned::Ownership;
use crate::service::{CutOff, Grace};
use crate::slots::Slots;
use crate::timed::Timed;
use crate::timer::queue::TimerKey;

/// How often protocols are asked whether they are idle.
const TICK: Duration = Duration::from_millis(50);

/// How often it is logged how much is left.
const REPORT: Duration = Duration::from_secs(1);

/// With more connections than this left, only a tick is a reason to look: each look goes through all of them.
const MANY: usize = 256;

/// What ends, and how far it is.
pub(crate) struct Drain {
    /// `None` for everything that peers began: what we began ourselves, services may need in order to stop.
    pub(crate) scope: Option<Rc<Ownership>>,
    grace: Grace,
    began: Duration,
    is_closing: Cell<bool>,
    counted: Cell<usize>,
    looked: Cell<Duration>,
    reported: Cell<Option<Duration>>,
    done: RefCell<Option<Resolver<()>>>,
    made: &'static Location<'static>,
}

/// All that ends now, and what they wait for.
#[derive(Default)]
pub(crate) struct Drains {
    list: RefCell<Vec<Rc<Drain>>>,
    works: RefCell<Slots<Work>>,
    /// Something has ended, or a tick is due.
    is_stirred: Cell<bool>,
    timer: Cell<Option<TimerKey>>,
    /// For [`Transport::is_idle`](crate::Transport::is_idle), while protocols are asked.
    pub(crate) quiet: Cell<Duration>,
    pub(crate) lent: RefCell<BTreeSet<ConnId>>,
}

/// A Deferred that stops wait for.
struct Work {
    scope: Option<Rc<Ownership>>,
    canceller: Option<Canceller>,
}

/// What a drain waits for.
#[derive(Default)]
struct Left {
    connections: usize,
    works: usize,
    tasks: usize,
    /// The first of the connections, for the log.
    example: Option<String>,
}

impl Drains {
    /// Something ended that may have been waited for.
    #[inline]
    pub(crate) fn stir(&self) {
        self.is_stirred.set(true);
    }

    pub(crate) fn is_stirred(&self) -> bool {
        self.is_stirred.get() && !self.list.borrow().is_empty()
    }

    /// The Deferred, waited for.
    #[track_caller]
    pub(crate) fn work<T: 'static>(&self, handle: &Handle, deferred: Deferred<T>) -> Deferred<T> {
        let scope = handle.owner().cloned();
        let key = self.works.borrow_mut().insert(Work {
            scope,
            canceller: None,
        });
        let own = handle.clone();
        let done = deferred.add_both(move |result| {
            let drains = &own.shared().drains;
            drop(drains.works.borrow_mut().remove(key));
            drains.stir();
            result
        });
        if let Some(work) = self.works.borrow_mut().get_mut(key) {
            work.canceller = Some(done.canceller());
        }
        done
    }

    /// What this drain waits for, to be cancelled.
    fn works_of(&self, drain: &Drain) -> Vec<Canceller> {
        let works = self.works.borrow();
        let covered = works
            .iter()
            .filter(|(_, work)| drain.owns(work.scope.as_ref()));
        covered
            .filter_map(|(_, work)| work.canceller.clone())
            .collect()
    }

    /// Everything is gone: nobody waits any more.
    pub(crate) fn clear(&self) {
        drop(self.list.take());
        drop(self.works.take());
    }
}

impl Drain {
    pub(crate) fn new(
        scope: Option<Rc<Ownership>>,
        grace: Grace,
        now: Duration,
        done: Resolver<()>,
        made: &'static Location<'static>,
    ) -> Rc<Self> {
        Rc::new(Self {
            scope,
            grace,
            began: now,
            is_closing: Cell::new(false),
            counted: Cell::new(0),
            looked: Cell::new(now),
            reported: Cell::new(None),
            done: RefCell::new(Some(done)),
            made,
        })
    }

    fn is_done(&self) -> bool {
        self.done.borrow().is_none()
    }

    fn name(&self) -> &str {
        self.scope
            .as_ref()
            .map_or("the reactor", |scope| &scope.name)
    }

    fn owns(&self, owner: Option<&Rc<Ownership>>) -> bool {
        match (&self.scope, owner) {
            (None, _) => true,
            (Some(scope), Some(owner)) => owner.is_within(scope),
            (Some(_), None) => false,
        }
    }

    fn covers(&self, connection: &Connection) -> bool {
        self.owns(connection.link().handle.owner())
    }

    /// Whether it waits for this connection. One that we began ourselves, as are the pipes of a child, is waited for only
    /// when it closes.
    fn waits_for(&self, connection: &Connection) -> bool {
        let is_peers = matches!(connection.owner, Owner::Port(_))
            && !matches!(connection.transport.peer(), Address::Process(_));
        self.covers(connection) && (is_peers || self.is_closing.get() && self.scope.is_some())
    }

    fn soft(&self) -> Duration {
        self.began.saturating_add(self.grace.soft)
    }

    fn hard(&self) -> Duration {
        self.began
            .saturating_add(self.grace.hard.max(self.grace.soft))
    }

    fn finish(&self, result: Result<(), Failure>) {
        if let Some(done) = self.done.take() {
            let _it_may_be_cancelled = done.resolve_with(result);
        }
    }

    /// A plain stop came while this waited.
    fn is_overtaken(&self, handle: &Handle) -> bool {
        let is_waiting = self.scope.is_none() && !self.is_closing.get();
        is_waiting && handle.shared().lifecycle.is_stop_asked()
    }

    /// When the next progress is to be logged: once it was not over at once, then every second.
    fn reports_at(&self) -> Duration {
        match self.reported.get() {
            None => self.began.saturating_add(TICK),
            Some(last) => last.saturating_add(REPORT),
        }
    }

    /// When to look again, whatever happens.
    fn next_look(&self) -> Duration {
        let deadline = match self.is_closing.get() {
            true => self.hard(),
            false => self.soft(),
        };
        deadline.min(self.looked.get().saturating_add(TICK))
    }

    fn report(&self, now: Duration, left: &Left) {
        self.reported.set(Some(now));
        let (name, after) = (self.name(), now.saturating_sub(self.began));
        tracing::info!(?after, "{name} stops gracefully and waits for {left}");
    }
}

impl Left {
    fn is_nothing(&self) -> bool {
        self.connections + self.works + self.tasks == 0
    }

    fn count(&mut self, connection: &Connection) {
        self.connections += 1;
        self.example.get_or_insert_with(|| {
            let peer = connection.transport.peer();
            format!("{} with {peer}", connection.protocol_name())
        });
    }
}

impl Engine {
    /// Stops accepting, and tells protocols.
    pub(crate) fn begin_drain(&mut self, drain: Rc<Drain>) {
        for port in self.registry.all_ports() {
            if drain.owns(port.handle.owner()) {
                self.stop_listening(&port);
            }
        }
        for key in self.registry.connections.keys() {
            if let Some(connection) = self.registry.connections.get_mut(key)
                && drain.covers(connection)
            {
                connection.tell_shutting_down();
            }
        }
        let drains = &self.handle().shared().drains;
        drains.list.borrow_mut().push(drain);
        drains.stir();
    }

    /// Looks how far everything is that ends, if there is a reason to.
    pub(crate) fn run_drains(&mut self) {
        let handle = self.handle().clone();
        let drains = &handle.shared().drains;
        if !drains.is_stirred() {
            return;
        }
        drains.is_stirred.set(false);
        let (now, list) = (handle.now(), drains.list.borrow().clone());
        for drain in &list {
            self.advance_drain(&handle, drain, now);
        }
        drains.list.borrow_mut().retain(|drain| !drain.is_done());
        if let Some(timer) = drains.timer.take() {
            handle.unschedule(timer);
        }
        let due = list.iter().filter(|drain| !drain.is_done());
        let due = due.map(|drain| drain.next_look()).min();
        if let Some(due) = due {
            let delay = due.saturating_sub(now);
            drains
                .timer
                .set(Some(handle.schedule(delay, Timed::Drains)));
        }
    }

    fn advance_drain(&mut self, handle: &Handle, drain: &Drain, now: Duration) {
        if drain.counted.get() > MANY && now < drain.looked.get().saturating_add(TICK) {
            return;
        }
        drain.looked.set(now);
        if drain.is_overtaken(handle) {
            return drain.finish(Ok(()));
        }
        let mut left = self.left(handle, drain);
        if !drain.is_closing.get() && (left.is_nothing() || now >= drain.soft()) {
            self.close_drain(handle, drain, &left);
            left = self.left(handle, drain);
        }
        drain.counted.set(left.connections);
        if drain.is_closing.get() && (left.is_nothing() || now >= drain.hard()) {
            self.end_drain(handle, drain, left, now);
        } else if drain.reports_at() <= now {
            drain.report(now, &left);
        }
    }

    /// What is waited for. Connections that are idle are asked to end on the way.
    fn left(&mut self, handle: &Handle, drain: &Drain) -> Left {
        let (drains, is_closing) = (&handle.shared().drains, drain.is_closing.get());
        if !is_closing {
            drains.quiet.set(drain.grace.quiet);
            *drains.lent.borrow_mut() = handle.lent_connections();
        }
        let mut left = Left {
            works: drains.works_of(drain).len(),
            ..Left::default()
        };
        for key in self.registry.connections.keys() {
            let Some(connection) = self.registry.connections.get_mut(key) else {
                continue;
            };
            if !drain.waits_for(connection) {
                continue;
            }
            if !is_closing && connection.is_idle() {
                connection.link().lose();
            }
            left.count(connection);
        }
        if let (true, Some(scope)) = (is_closing, &drain.scope) {
            left.tasks = scope.tasks_left(handle);
        }
        left
    }

    /// Cancels and closes what is left.
    fn close_drain(&mut self, handle: &Handle, drain: &Drain, left: &Left) {
        drain.is_closing.set(true);
        if !left.is_nothing() {
            let (name, soft) = (drain.name(), drain.grace.soft);
            tracing::warn!(
                ?soft,
                "the soft deadline of {name} has passed: closing {left}"
            );
        }
        for canceller in handle.shared().drains.works_of(drain) {
            canceller.cancel();
        }
        match &drain.scope {
            Some(scope) => scope.close(handle),
            None => handle.shared().lifecycle.drained(),
        }
        for (_, connection) in self.registry.connections.iter() {
            if drain.waits_for(connection) {
                connection.link().lose();
            }
        }
        self.run_commands();
    }

    /// Cuts off what is left, if anything is, and says so.
    fn end_drain(&mut self, handle: &Handle, drain: &Drain, mut left: Left, now: Duration) {
        let after = now.saturating_sub(drain.began);
        if left.is_nothing() {
            tracing::debug!(?after, "nothing is left of {}", drain.name());
            return drain.finish(Ok(()));
        }
        for key in self.registry.connections.keys() {
            let connection = self.registry.connections.get(key);
            if connection.is_some_and(|connection| drain.waits_for(connection)) {
                self.abort(ConnId(key));
            }
        }
        if let Some(scope) = &drain.scope {
            for key in scope.take_tasks_left(handle) {
                let report = handle.tasks().report(key);
                left.example = left.example.or(report.map(|report| report.to_string()));
                handle.tasks().end_now(key);
            }
        }
        let cut_off = CutOff {
            after,
            left: left.to_string(),
        };
        if drain.scope.is_none() {
            tracing::error!("{cut_off}");
        }
        drain.finish(Err(Failure::at(cut_off, drain.made)));
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connections,
            works,
            tasks,
            example,
        } = self;
        write!(
            f,
            "{connections} connections, {works} pieces of work, {tasks} tasks"
        )?;
        match example {
            Some(example) => write!(f, ", among them {example}"),
            None => Ok(()),
        }
    }
}
