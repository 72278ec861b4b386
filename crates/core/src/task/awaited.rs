//! What tasks await, and cancelling them by it (rule 107).

use std::rc::Rc;

use crate::deferred::{Cancellable, Cancelling};
use crate::slots::Key;
use crate::task::Tasks;
use crate::task::body::CancelState;

impl Tasks {
    /// The task that is being polled.
    pub(crate) fn current(&self) -> Option<Key> {
        self.0.current.get()
    }

    /// Notes that the task that is being polled awaits this Deferred.
    pub(crate) fn note_awaited(&self, node: Rc<dyn Cancellable>) {
        let mut table = self.0.table.borrow_mut();
        let Some(key) = self.current() else { return };
        let Some(slot) = table.get_mut(key) else {
            return;
        };
        slot.waiting.push(key, Rc::downgrade(&node));
        if slot.cancel == CancelState::Next {
            slot.cancel = CancelState::None;
            let location = slot.spawned;
            drop(table);
            self.call_soon(move |_| Cancelling::run(node, location));
        }
    }

    /// Cancels what a task awaits; if it awaits nothing that can be told, the next that it awaits, or the task itself.
    pub(crate) fn cancel_task(&self, key: Key, cancelling: &mut Cancelling) {
        let mut table = self.0.table.borrow_mut();
        let Some(slot) = table.get_mut(key) else {
            return;
        };
        let awaited = slot.waiting.pending(key);
        if !awaited.is_empty() {
            drop(table);
            cancelling.extend(awaited);
            return;
        }
        let Some(body) = &slot.body else {
            slot.cancel = CancelState::Next;
            return;
        };
        slot.cancel = match body.flag.is_scheduled() && slot.started {
            true => CancelState::Next,
            false => CancelState::Abort,
        };
        body.flag.schedule_in(&self.0.ready);
    }
}
