//! Watching descriptors of other libraries, which read and write them on their own: databases, message queues, inotify.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;

use crate::adopt::capable;
use crate::deferred::Deferred;
use crate::descriptor::Descriptor;
use crate::driver::{Demand, Interest, WatchId};
use crate::engine::Engine;
use crate::handle::Handle;
use crate::registry::Registry;

/// A watch on a descriptor; the handle may be dropped, the watch stays.
#[derive(Clone)]
pub struct Watch {
    watched: Rc<Watched>,
    handle: Handle,
}

struct Watched {
    id: Cell<Option<WatchId>>,
}

type OnReady = Box<dyn FnMut(&Handle, Interest)>;

/// A watch on the registry's side.
pub(crate) struct Watcher {
    watched: Rc<Watched>,
    call: OnReady,
}

impl Watch {
    /// Watches no more, from now on, also within a batch of events (R15); fires with the descriptor, unless it was
    /// given back before.
    #[doc(alias = "removeReader")]
    #[doc(alias = "removeWriter")]
    pub fn unwatch(&self) -> Deferred<Option<Descriptor>> {
        let (deferred, resolver) = Deferred::new(&self.handle);
        let id = self.watched.id.take();
        self.handle.command(move |engine| {
            let _ = resolver.resolve(id.and_then(|id| engine.unwatch(id)));
        });
        deferred
    }

    /// Whether it still watches.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.watched.id.get().is_some()
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch({})", self.is_watching())
    }
}

/// A descriptor cannot be watched.
#[derive(Debug)]
pub struct WatchError(io::Error);

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a descriptor cannot be watched: {}", self.0)
    }
}

impl std::error::Error for WatchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl Handle {
    /// Calls back in each turn in which a foreign descriptor is ready, until it is no longer ready or not watched.
    ///
    /// The descriptor is the reactor's meanwhile: give it a duplicate (`try_clone`) of one that another library owns. A
    /// callback that panics is logged, and its watch ends.
    #[doc(alias = "addReader")]
    #[doc(alias = "addWriter")]
    pub fn watch(
        &self,
        descriptor: Descriptor,
        interest: Interest,
        call: impl FnMut(&Self, Interest) + 'static,
    ) -> Deferred<Watch> {
        let (deferred, resolver) = Deferred::new(self);
        self.command(move |engine| {
            let _ = match engine.watch(descriptor, interest, Box::new(call)) {
                Ok(watch) => resolver.resolve(watch),
                Err(error) => resolver.fail(error),
            };
        });
        deferred
    }
}

impl Engine {
    fn watch(
        &mut self,
        descriptor: Descriptor,
        interest: Interest,
        call: OnReady,
    ) -> Result<Watch, WatchError> {
        let driver = capable(&mut *self.driver).map_err(WatchError)?;
        let id = driver.watch(descriptor, interest).map_err(WatchError)?;
        let watched = Rc::new(Watched {
            id: Cell::new(Some(id)),
        });
        let handle = self.registry.handle.clone();
        let watcher = Watcher {
            watched: Rc::clone(&watched),
            call,
        };
        self.registry.watches.insert(id.0, watcher);
        Ok(Watch { watched, handle })
    }

    pub(crate) fn unwatch(&mut self, id: WatchId) -> Option<Descriptor> {
        let gone = self.registry.watches.remove(id.0);
        drop(gone);
        self.driver.descriptors()?.unwatch(id)
    }

    /// Ends every watch.
    pub(crate) fn unwatch_all(&mut self) {
        for key in self.registry.watches.keys() {
            if let Some(watcher) = self.registry.watches.get(key) {
                watcher.watched.id.set(None);
            }
            drop(self.unwatch(WatchId(key)));
        }
    }
}

impl Registry {
    pub(crate) fn ready(&mut self, id: WatchId, ready: Interest) -> Demand {
        let handle = self.handle.clone();
        let watcher = self.watches.get_mut(id.0);
        let Some(watcher) = watcher.filter(|watcher| watcher.watched.id.get().is_some()) else {
            return Demand::Continue;
        };
        let mut calmly = false;
        handle.watched("a watch", || {
            crate::panic::guard("a watch", || {
                (watcher.call)(&handle, ready);
                calmly = true;
            });
        });
        if !calmly {
            watcher.watched.id.set(None);
            handle.command(move |engine| drop(engine.unwatch(id)));
        }
        Demand::Continue
    }
}
