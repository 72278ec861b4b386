//! The way to the other cores.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ropewalk_cores::{Core, SendError};

use super::published::{Carried, Published};

/// Sends to other cores, whatever their mailboxes carry.
pub(super) trait Link {
    fn publish(self: Rc<Self>, carried: &Arc<Carried>);
}

/// Other cores by their mailboxes. What a full one does not take is counted, and told as soon as it takes something.
pub(super) struct CoreLink<M> {
    core: Core<M>,
    /// How many messages each core missed, and was not told of.
    missed: RefCell<Vec<u64>>,
    is_telling: Cell<bool>,
}

/// When a full mailbox is tried again, for a core to which nothing else is sent.
const TELL_AGAIN: Duration = Duration::from_millis(10);

impl<M: From<Published> + Send + 'static> CoreLink<M> {
    pub(super) fn new(core: &Core<M>) -> Self {
        Self {
            core: core.clone(),
            missed: RefCell::new(vec![0; core.count()]),
            is_telling: Cell::new(false),
        }
    }

    /// Tells whether the core took it.
    fn send(&self, to: usize, carried: Option<&Arc<Carried>>) -> bool {
        let missed = &mut self.missed.borrow_mut()[to];
        let published = Published {
            missed: *missed,
            carried: carried.cloned(),
        };
        match self.core.send(to, M::from(published)) {
            Ok(()) => *missed = 0,
            Err(SendError::Full(_)) => {
                *missed += u64::from(carried.is_some());
                return false;
            }
            Err(SendError::Gone(_)) => *missed = 0,
        }
        true
    }

    fn tell_later(self: Rc<Self>) {
        if self.is_telling.replace(true) {
            return;
        }
        let reactor = self.core.reactor().clone();
        reactor.call_later(TELL_AGAIN, move |_| {
            self.is_telling.set(false);
            let behind = |to: &usize| self.missed.borrow()[*to] > 0;
            let cores: Vec<usize> = (0..self.core.count()).filter(behind).collect();
            let is_all_told = cores.into_iter().all(|to| self.send(to, None));
            if !is_all_told {
                self.tell_later();
            }
        });
    }
}

impl<M: From<Published> + Send + 'static> Link for CoreLink<M> {
    fn publish(self: Rc<Self>, carried: &Arc<Carried>) {
        let mut is_any_full = false;
        for to in (0..self.core.count()).filter(|&to| to != self.core.index()) {
            is_any_full |= !self.send(to, Some(carried));
        }
        if is_any_full {
            self.tell_later();
        }
    }
}
