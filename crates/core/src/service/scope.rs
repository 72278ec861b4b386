//! What ends together.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::handle::Handle;
use crate::service::drain::Drain;
use crate::service::grace::Grace;
use crate::service::owned::{Owned, Ownership};
use crate::task::Tasks;

/// Owns everything that is started through its handle, and ends it: ports and their connections, connectors, tasks,
/// timers, looping calls, hooks, and the scopes within.
///
/// It derefs to its [`Handle`]. Clones of that handle, the handles that its callbacks are lent, and
/// [`Transport::reactor`](crate::Transport::reactor) of its connections belong to it too. Every [`Service`](crate::Service)
/// has one; use your own for a part of a program that must leave nothing behind. Dropped without [`end`](Self::end), it
/// lets everything go on.
///
/// What goes through [`Handle::tasks`] belongs to no scope, nor does a job in a thread, which nobody can stop.
pub struct Scope {
    handle: Handle,
    ownership: Rc<Ownership>,
}

impl Scope {
    /// A scope within that of the handle, if it has one. The name is for logs.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Handle>, name: impl Into<Cow<'static, str>>) -> Self {
        let handle = reactor.as_ref();
        let ownership = Ownership::new(name.into(), handle.owner().cloned());
        handle.own(|| Owned::Scope(Rc::downgrade(&ownership)));
        let handle = handle.owned_by(Some(Rc::clone(&ownership)));
        Self { handle, ownership }
    }

    /// Its handle, to keep.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.ownership.name
    }

    /// Ends everything in it; fires once that is done.
    ///
    /// Ports stop, and the protocols of its connections are told ([`Protocol::shutting_down`](crate::Protocol::shutting_down)).
    /// Connections that peers made may live until they are idle or the soft deadline, and so may [`Handle::work`]. Then
    /// tasks are cancelled, timers taken back, hooks removed, and connections closed: once what is queued is sent, at the
    /// latest at the hard deadline.
    ///
    /// Fails with [`CutOff`](crate::CutOff) if anything had to be cut off at the hard deadline.
    #[track_caller]
    pub fn end(&self, grace: Grace) -> Deferred<()> {
        let outside = self.parent();
        let (deferred, done) = Deferred::new(&outside);
        let scope = Some(Rc::clone(&self.ownership));
        let drain = Drain::new(scope, grace, outside.now(), done, Location::caller());
        outside.command(move |engine| engine.begin_drain(drain));
        deferred
    }

    /// Ends everything in it at once, as far as it can be told to end.
    pub(crate) fn close(&self) {
        self.ownership.close(&self.handle);
    }

    /// The handle that it was made of.
    pub(crate) fn parent(&self) -> Handle {
        self.handle.owned_by(self.ownership.parent.clone())
    }

    /// Whether it has ended: whatever is started through its handle then ends at once.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ownership.is_closed()
    }
}

impl Deref for Scope {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl AsRef<Handle> for Scope {
    fn as_ref(&self) -> &Handle {
        &self.handle
    }
}

impl AsRef<Tasks> for Scope {
    fn as_ref(&self) -> &Tasks {
        self.handle.tasks()
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?})", self.name())
    }
}
