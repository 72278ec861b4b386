//! A claim check for a value that must not leave the reactor's thread, so that another thread can ask for it.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

use crate::handle::Handle;
use crate::slots::{Key, Slots};

/// The values that wait on the reactor's thread.
#[derive(Default)]
pub(crate) struct Cloakroom(RefCell<Slots<Box<dyn Any>>>);

/// A claim check: `Send`, while the value stays. An unclaimed value is dropped with the reactor.
pub(crate) struct Parcel<T> {
    key: Key,
    value: PhantomData<fn() -> T>,
}

impl<T: 'static> Parcel<T> {
    pub(crate) fn new(handle: &Handle, value: T) -> Self {
        let key = handle
            .shared()
            .cloakroom
            .0
            .borrow_mut()
            .insert(Box::new(value));
        Self {
            key,
            value: PhantomData,
        }
    }

    /// Claims the value, on the reactor's thread.
    pub(crate) fn open(self, handle: &Handle) -> Option<T> {
        let value = handle.shared().cloakroom.0.borrow_mut().remove(self.key)?;
        value.downcast().ok().map(|value| *value)
    }
}

impl Cloakroom {
    pub(crate) fn clear(&self) {
        let left = self.0.take();
        drop(left);
    }
}
