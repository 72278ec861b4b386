//! What a site keeps of one client.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::rc::{Rc, Weak};
use std::time::Duration;

use ropewalk_core::Handle;
use ropewalk_core::timer::DelayedCall;

use crate::request::Request;
use crate::sessions::{Key, Store, send_cookie};

/// The session of a client: values, one of each type, until it was not used for 15 minutes. Clones are the same session.
#[derive(Clone)]
pub struct Session(Rc<Inner>);

struct Inner {
    key: Cell<Key>,
    store: Weak<Store>,
    reactor: Handle,
    expiry: Duration,
    touched: Cell<Duration>,
    timer: RefCell<Option<DelayedCall>>,
    is_new: Cell<bool>,
    is_expired: Cell<bool>,
    values: RefCell<Vec<Rc<dyn Any>>>,
    on_expired: RefCell<Vec<Box<dyn FnOnce()>>>,
}

impl Session {
    pub(crate) fn new(key: Key, store: &Rc<Store>, expiry: Duration, reactor: &Handle) -> Self {
        let session = Self(Rc::new(Inner {
            key: Cell::new(key),
            store: Rc::downgrade(store),
            reactor: reactor.clone(),
            expiry,
            touched: Cell::new(reactor.turn_time()),
            timer: RefCell::default(),
            is_new: Cell::new(true),
            is_expired: Cell::new(false),
            values: RefCell::default(),
            on_expired: RefCell::default(),
        }));
        session.wait(expiry);
        session
    }

    /// Its id, in 64 hexadecimal digits: who knows it is the client.
    #[doc(alias = "uid")]
    pub fn id(&self) -> String {
        let mut id = String::with_capacity(64);
        for byte in self.0.key.get().0 {
            write!(id, "{byte:02x}").expect("a string takes all");
        }
        id
    }

    /// Whether it is for encrypted connections, and only for these.
    pub fn is_secure(&self) -> bool {
        self.0.key.get().1
    }

    /// Whether the client has not come back with it yet.
    pub fn is_new(&self) -> bool {
        self.0.is_new.get()
    }

    /// Whether it is over.
    pub fn is_expired(&self) -> bool {
        self.0.is_expired.get()
    }

    /// Gives it another id, which the response to this request brings: call it when somebody logs in, so that an id that was slipped to them
    /// before is worth nothing.
    pub fn renew_id(&self, request: &Request) {
        let Some(store) = self.0.store.upgrade().filter(|_| !self.is_expired()) else {
            return;
        };
        let old = self.0.key.get();
        let key = (self.0.reactor.random_bytes(), old.1);
        self.0.key.set(key);
        store.insert(key, self.clone());
        store.remove(&old);
        send_cookie(self, request);
    }

    /// Keeps a value, in the place of one of the same type.
    #[doc(alias = "setComponent")]
    pub fn set<T: 'static>(&self, value: T) {
        let old = self.remove::<T>();
        self.0.values.borrow_mut().push(Rc::new(value));
        drop(old);
    }

    /// The value of this type.
    #[doc(alias = "getComponent")]
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let values = self.0.values.borrow();
        let mut found = values.iter().map(Rc::clone);
        found.find_map(|value| value.downcast().ok())
    }

    /// Takes the value of this type away.
    pub fn remove<T: 'static>(&self) -> Option<Rc<T>> {
        let mut values = self.0.values.borrow_mut();
        let at = values.iter().position(|value| value.is::<T>())?;
        values.swap_remove(at).downcast().ok()
    }

    /// Uses it: it expires later. Each request with it does.
    pub fn touch(&self) {
        self.0.touched.set(self.0.reactor.turn_time());
    }

    /// The client came back with it.
    pub(crate) fn welcome(&self) {
        self.0.is_new.set(false);
        self.touch();
    }

    /// Calls this once it is over, on the reactor's turn.
    #[doc(alias = "notifyOnExpire")]
    pub fn on_expired(&self, call: impl FnOnce() + 'static) {
        match self.is_expired() {
            true => self.0.reactor.call_soon(|_| call()),
            false => self.0.on_expired.borrow_mut().push(Box::new(call)),
        }
    }

    /// Ends it at once, as for a logout.
    pub fn expire(&self) {
        if self.0.is_expired.replace(true) {
            return;
        }
        if let Some(timer) = self.0.timer.take() {
            let _it_may_be_due = timer.cancel();
        }
        if let Some(store) = self.0.store.upgrade() {
            store.remove(&self.0.key.get());
        }
        let values = self.0.values.take();
        for call in self.0.on_expired.take() {
            self.0.reactor.call_soon(|_| call());
        }
        drop(values);
    }

    /// The timer is set anew only when it is due, so that a request costs nothing.
    fn wait(&self, time: Duration) {
        let inner = Rc::downgrade(&self.0);
        let timer = self.0.reactor.call_later(time, move |_: &Handle| {
            if let Some(inner) = inner.upgrade() {
                Self(inner).look();
            }
        });
        *self.0.timer.borrow_mut() = Some(timer);
    }

    fn look(&self) {
        let unused = self
            .0
            .reactor
            .turn_time()
            .saturating_sub(self.0.touched.get());
        match self
            .0
            .expiry
            .checked_sub(unused)
            .filter(|left| !left.is_zero())
        {
            Some(left) => self.wait(left),
            None => self.expire(),
        }
    }
}

/// Without its id, which would let anybody in who reads the log.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("is_secure", &self.is_secure())
            .field("is_expired", &self.is_expired())
            .finish_non_exhaustive()
    }
}
