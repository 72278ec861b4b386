//! Dropping without recursion.
//!
//! A callback may own the resolver of the next Deferred, whose callback owns the next, a million times. Dropped naively, each would drop
//! the next from inside its own destructor and the stack would end. So whoever drops a callback hands it here: the first call drops in a
//! loop, and calls from inside those destructors only add to the list.

use std::cell::RefCell;

/// What can be thrown away: any type at all.
pub(crate) trait Rubbish {}

impl<T> Rubbish for T {}

/// What waits to be dropped; `None` while nobody is dropping.
#[derive(Default)]
pub(crate) struct Heap(RefCell<Option<Vec<Box<dyn Rubbish>>>>);

impl Heap {
    /// Drops a value now, or soon if this is called from a destructor that this called.
    pub(crate) fn drop_soon(&self, rubbish: Box<dyn Rubbish>) {
        if let Some(list) = &mut *self.0.borrow_mut() {
            list.push(rubbish);
            return;
        }
        *self.0.borrow_mut() = Some(Vec::new());
        let _done = Done(self);
        drop(rubbish);
        while let Some(next) = self.next() {
            drop(next);
        }
    }

    fn next(&self) -> Option<Box<dyn Rubbish>> {
        self.0.borrow_mut().as_mut()?.pop()
    }
}

/// Ends the loop, also when a destructor panics.
struct Done<'a>(&'a Heap);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let rest = self.0.0.borrow_mut().take();
        drop(rest);
    }
}
