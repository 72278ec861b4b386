//! The connections to one host: those that are idle, how many there are, and who waits for one.
//!
//! ```text
//!   take_idle ◄── idle ◄── returned ◄── a response is over
//!                             │
//!   line_up ──► waiting ◄─────┴── connected ◄── dial, as many as wait, up to the limit
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use ropewalk_core::{ConnectError, Deferred, Resolver};

use super::agent_error::{AgentProblem, Carried};
use super::connection::Connection;
use super::dial;
use super::pool::{Lease, Pool, Route};
use super::proxies::Proxy;

pub(super) struct Host {
    pub(super) pool: Weak<Pool>,
    pub(super) route: Route,
    /// The proxy that tunnels to it.
    pub(super) proxy: Option<Rc<Proxy>>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The one that was used last is last.
    idle: Vec<Rc<Connection>>,
    /// How many there are, those included that are being made.
    open: usize,
    connecting: usize,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    turn: Resolver<Lease>,
    wants_new: bool,
}

impl Host {
    pub(super) fn new(pool: &Rc<Pool>, route: Route, proxy: Option<Rc<Proxy>>) -> Rc<Self> {
        Rc::new(Self {
            pool: Rc::downgrade(pool),
            route,
            proxy,
            state: RefCell::default(),
        })
    }

    pub(super) fn take_idle(&self) -> Option<Rc<Connection>> {
        let mut state = self.state.borrow_mut();
        loop {
            let connection = state.idle.pop()?;
            if connection.is_open() {
                return Some(connection);
            }
        }
    }

    /// Waits for a connection, and has one made if there may be more.
    pub(super) fn line_up(
        self: &Rc<Self>,
        wants_new: bool,
    ) -> Result<Deferred<Lease>, AgentProblem> {
        let Some(pool) = self.pool.upgrade() else {
            return Err(AgentProblem::Cancelled);
        };
        let (deferred, turn) = Deferred::new(&pool.handle);
        self.state
            .borrow_mut()
            .waiting
            .push_back(Waiter { turn, wants_new });
        self.make_room(&pool);
        self.dial(&pool);
        Ok(deferred)
    }

    /// A connection is there that nobody uses: new, or its response is over.
    pub(super) fn returned(self: &Rc<Self>, connection: Rc<Connection>) {
        if !connection.is_open() {
            return;
        }
        if let Some(turn) = self.next_turn(&connection) {
            let _wanted_a_moment_ago = turn.resolve(Lease::new(connection));
            return;
        }
        let most = self
            .pool
            .upgrade()
            .map_or(0, |pool| pool.limits.idle_per_host);
        let surplus = {
            let mut state = self.state.borrow_mut();
            state.idle.push(connection);
            (state.idle.len() > most).then(|| state.idle.remove(0))
        };
        if let Some(surplus) = surplus {
            surplus.close();
        }
        if let Some(pool) = self.pool.upgrade() {
            self.make_room(&pool);
        }
    }

    /// A connection is made.
    pub(super) fn connected(self: &Rc<Self>, connection: Rc<Connection>) {
        self.state.borrow_mut().connecting -= 1;
        self.returned(connection);
        self.dial_more();
    }

    /// One could not be made: whoever waits longest hears of it.
    pub(super) fn failed(self: &Rc<Self>, error: ConnectError) {
        let waiter = {
            let mut state = self.state.borrow_mut();
            state.connecting -= 1;
            state.open -= 1;
            state.drop_gone();
            state.waiting.pop_front()
        };
        if let Some(waiter) = waiter {
            let _wanted_a_moment_ago = waiter.turn.fail(error);
        }
        self.dial_more();
    }

    /// A connection is gone, or is not one of ours any more.
    pub(super) fn lost(self: &Rc<Self>, connection: &Rc<Connection>) {
        let mut state = self.state.borrow_mut();
        state.idle.retain(|idle| !Rc::ptr_eq(idle, connection));
        state.open -= 1;
        drop(state);
        self.dial_more();
    }

    pub(super) fn close_idle(&self) {
        let idle = std::mem::take(&mut self.state.borrow_mut().idle);
        for connection in idle {
            connection.close();
        }
    }

    pub(super) fn open(&self) -> usize {
        self.state.borrow().open
    }

    /// Who gets this connection; a new one is for all, one that was used not for those who want a new one.
    fn next_turn(&self, connection: &Connection) -> Option<Resolver<Lease>> {
        let mut state = self.state.borrow_mut();
        state.drop_gone();
        let fits = |waiter: &Waiter| !waiter.wants_new || !connection.is_used();
        let at = state.waiting.iter().position(fits)?;
        state.waiting.remove(at).map(|waiter| waiter.turn)
    }

    /// Ends an idle connection for somebody who wants a new one, if there may not be more.
    fn make_room(&self, pool: &Pool) {
        let surplus = {
            let mut state = self.state.borrow_mut();
            let is_full = state.open >= pool.limits.connections_per_host.max(1);
            let must = is_full && !state.waiting.is_empty() && !state.idle.is_empty();
            must.then(|| state.idle.remove(0))
        };
        if let Some(surplus) = surplus {
            surplus.close();
        }
    }

    fn dial_more(self: &Rc<Self>) {
        let Some(pool) = self.pool.upgrade() else {
            return;
        };
        self.dial(&pool);
        let state = self.state.borrow();
        if state.open == 0 && state.waiting.is_empty() {
            drop(state);
            pool.forget(&self.route);
        }
    }

    /// Makes as many connections as are waited for, and may be.
    fn dial(self: &Rc<Self>, pool: &Pool) {
        let most = pool.limits.connections_per_host.max(1);
        loop {
            {
                let mut state = self.state.borrow_mut();
                state.drop_gone();
                if state.connecting >= state.waiting.len() || state.open >= most {
                    return;
                }
                state.connecting += 1;
                state.open += 1;
            }
            if let Err(problem) = dial::dial(self, pool) {
                let mut state = self.state.borrow_mut();
                state.connecting -= 1;
                state.open -= 1;
                let waiter = state.waiting.pop_front();
                drop(state);
                if let Some(waiter) = waiter {
                    let _wanted_a_moment_ago = waiter.turn.fail(Carried(problem));
                }
            }
        }
    }
}

impl State {
    /// Forgets those who do not wait any more.
    fn drop_gone(&mut self) {
        while self
            .waiting
            .front()
            .is_some_and(|waiter| !waiter.turn.is_wanted())
        {
            self.waiting.pop_front();
        }
    }
}
