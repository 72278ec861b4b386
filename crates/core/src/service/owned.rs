//! What belongs to a scope, and who keeps account of it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::mem::take;
use std::rc::{Rc, Weak};

use crate::deferred::Canceller;
use crate::handle::Handle;
use crate::lifecycle::TriggerId;
use crate::slots::Key;
use crate::timer::queue::TimerKey;

/// Something that ends with its scope. Nothing is kept alive by being here.
pub(crate) enum Owned {
    Timer(TimerKey),
    Task(Key, Canceller),
    Result(Canceller),
    Trigger(TriggerId),
    HangupHook(u64),
    Thing(Weak<dyn Ends>),
    Scope(Weak<Ownership>),
}

/// A port, a connector, a loop.
pub(crate) trait Ends {
    fn is_over(&self) -> bool;
    fn end(self: Rc<Self>, handle: &Handle);
}

/// The account of one scope.
pub(crate) struct Ownership {
    pub(crate) name: Cow<'static, str>,
    pub(crate) parent: Option<Rc<Self>>,
    owned: RefCell<Vec<Owned>>,
    /// At this length, what is over is swept out.
    limit: Cell<usize>,
    is_closed: Cell<bool>,
    ending: RefCell<Ending>,
}

/// What was told to end, and takes its time.
#[derive(Default)]
struct Ending {
    tasks: Vec<Key>,
    scopes: Vec<Weak<Ownership>>,
}

impl Owned {
    pub(crate) fn thing<T: Ends + 'static>(thing: &Rc<T>) -> Self {
        let weak = Rc::downgrade(thing);
        Self::Thing(weak)
    }

    fn is_over(&self, handle: &Handle) -> bool {
        match self {
            Self::Timer(key) => handle.timers().borrow().due(*key).is_none(),
            Self::Task(key, _) => !handle.tasks().is_live(*key),
            Self::Result(canceller) => canceller.node().is_none(),
            Self::Trigger(_) | Self::HangupHook(_) => false,
            Self::Thing(weak) => weak.upgrade().is_none_or(|thing| thing.is_over()),
            Self::Scope(weak) => weak.upgrade().is_none_or(|scope| scope.is_closed()),
        }
    }

    fn end(self, handle: &Handle) {
        match self {
            Self::Timer(key) => handle.unschedule(key),
            Self::Task(_, canceller) | Self::Result(canceller) => canceller.cancel(),
            Self::Trigger(id) => drop(handle.remove_trigger(id)),
            Self::HangupHook(id) => handle.forget_hangup(id),
            Self::Thing(weak) => {
                if let Some(thing) = weak.upgrade() {
                    thing.end(handle);
                }
            }
            Self::Scope(weak) => {
                if let Some(scope) = weak.upgrade() {
                    scope.close(handle);
                }
            }
        }
    }
}

impl Ownership {
    pub(crate) fn new(name: Cow<'static, str>, parent: Option<Rc<Self>>) -> Rc<Self> {
        Rc::new(Self {
            name,
            parent,
            owned: RefCell::default(),
            limit: Cell::new(8),
            is_closed: Cell::new(false),
            ending: RefCell::default(),
        })
    }

    /// Notes something; it ends at once if the scope has ended.
    pub(crate) fn own(&self, handle: &Handle, owned: Owned) {
        if self.is_closed.get() {
            return owned.end(handle);
        }
        let list = &mut *self.owned.borrow_mut();
        if list.len() >= self.limit.get() {
            list.retain(|owned| !owned.is_over(handle));
            self.limit.set(8.max(2 * list.len()));
        }
        list.push(owned);
    }

    /// Whether this is that one, or within it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let mut at = Some(self);
        while let Some(ownership) = at {
            if std::ptr::eq(ownership, other) {
                return true;
            }
            at = ownership.parent.as_deref();
        }
        false
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Ends everything, the newest first; what is started from now on ends at once.
    pub(crate) fn close(&self, handle: &Handle) {
        self.is_closed.set(true);
        let owned = take(&mut *self.owned.borrow_mut());
        for owned in owned.into_iter().rev() {
            match &owned {
                Owned::Task(key, _) => self.ending.borrow_mut().tasks.push(*key),
                Owned::Scope(weak) => self.ending.borrow_mut().scopes.push(weak.clone()),
                _ => {}
            }
            owned.end(handle);
        }
    }

    /// How many tasks were cancelled and have not ended.
    pub(crate) fn tasks_left(&self, handle: &Handle) -> usize {
        let mut ending = self.ending.borrow_mut();
        let Ending { tasks, scopes } = &mut *ending;
        tasks.retain(|key| handle.tasks().is_live(*key));
        let scopes = scopes.iter().filter_map(Weak::upgrade);
        tasks.len() + scopes.map(|scope| scope.tasks_left(handle)).sum::<usize>()
    }

    /// Those tasks.
    pub(crate) fn take_tasks_left(&self, handle: &Handle) -> Vec<Key> {
        let Ending { mut tasks, scopes } = self.ending.take();
        tasks.retain(|key| handle.tasks().is_live(*key));
        for scope in scopes.iter().filter_map(Weak::upgrade) {
            tasks.extend(scope.take_tasks_left(handle));
        }
        tasks
    }
}

/// What a scope owned that nobody has a handle on any more is the outer scope's.
impl Drop for Ownership {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.owned.borrow_mut().append(self.owned.get_mut());
        }
    }
}
