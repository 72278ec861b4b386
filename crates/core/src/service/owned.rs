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
}

/// A port, a connector, a loop, a scope within.
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

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    /// Ends everything, the newest first; what is started from now on ends at once.
    pub(crate) fn close(&self, handle: &Handle) {
        self.is_closed.set(true);
        for owned in take(&mut *self.owned.borrow_mut()).into_iter().rev() {
            owned.end(handle);
        }
    }
}

impl Ends for Ownership {
    fn is_over(&self) -> bool {
        self.is_closed()
    }

    fn end(self: Rc<Self>, handle: &Handle) {
        self.close(handle);
    }
}
