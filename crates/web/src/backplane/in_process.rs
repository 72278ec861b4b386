//! A backplane that leads nowhere else.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use ropewalk_core::{Deferred, Handle};

use super::{Backplane, BackplaneListener};

/// A backplane within one reactor: for tests, and for programs that are told later where the others are.
///
/// Each clone is another place of the same backplane.
#[derive(Default)]
pub struct InProcess {
    all: Rc<RefCell<Vec<Weak<Place>>>>,
    here: Rc<Place>,
}

#[derive(Default)]
struct Place {
    user: OnceCell<(Handle, Rc<dyn BackplaneListener>)>,
    topics: RefCell<BTreeSet<Box<str>>>,
}

impl InProcess {
    /// A backplane with one place.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Clone for InProcess {
    fn clone(&self) -> Self {
        Self {
            all: Rc::clone(&self.all),
            here: Rc::default(),
        }
    }
}

impl Place {
    /// Tells the listener something, on a turn of its own.
    fn tell(self: &Rc<Self>, what: impl FnOnce(&dyn BackplaneListener) + 'static) {
        let Some((handle, _)) = self.user.get() else {
            return;
        };
        let this = Rc::downgrade(self);
        handle.call_later(Duration::ZERO, move |_| {
            if let Some(this) = this.upgrade()
                && let Some((_, listener)) = this.user.get()
            {
                what(&**listener);
            }
        });
    }
}

impl Backplane for InProcess {
    fn start(&self, reactor: &Handle, listener: Rc<dyn BackplaneListener>) {
        let _started_before = self.here.user.set((reactor.clone(), listener));
        self.all.borrow_mut().push(Rc::downgrade(&self.here));
    }

    fn subscribe(&self, topic: &str) {
        self.here.topics.borrow_mut().insert(topic.into());
        let topic = topic.to_owned();
        self.here.tell(move |listener| listener.back(Some(&topic)));
    }

    fn unsubscribe(&self, topic: &str) {
        self.here.topics.borrow_mut().remove(topic);
    }

    fn publish(&self, topic: &str, payload: Bytes) {
        self.all
            .borrow_mut()
            .retain(|place| place.strong_count() > 0);
        for place in self.all.borrow().iter().filter_map(Weak::upgrade) {
            if place.topics.borrow().contains(topic) {
                let (topic, payload) = (topic.to_owned(), payload.clone());
                place.tell(move |listener| listener.received(&topic, &payload));
            }
        }
    }

    fn stop(&self) -> Deferred<()> {
        self.all
            .borrow_mut()
            .retain(|place| !Weak::ptr_eq(place, &Rc::downgrade(&self.here)));
        let (handle, _) = self.here.user.get().expect("it is stopped after its start");
        Deferred::succeed(handle, ())
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InProcess({} places)", self.all.borrow().len())
    }
}
