//! Foreign descriptors, which others read and write: the handler hears in each turn which are ready.
//!
//! The kernel is asked for edges, as everywhere; to hear again of what is still ready, each watch is set anew after it
//! was told. That costs a system call for each time, and makes the others of the loop no slower.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use mio::Registry;
use mio::unix::SourceFd;
use ropewalk_core::Descriptor;
use ropewalk_core::driver::{Event, Handler, Interest, WatchId};
use ropewalk_core::slots::{Key, Slots};

use crate::stream::Readiness;
use crate::token::Target;

#[derive(Default)]
pub(crate) struct Watches(Slots<Watched>);

struct Watched {
    descriptor: OwnedFd,
    interest: Interest,
}

impl Watches {
    pub(crate) fn watch(
        &mut self,
        descriptor: Descriptor,
        interest: Interest,
        registry: &Registry,
    ) -> io::Result<WatchId> {
        let descriptor = crate::adopt::owned(descriptor)?;
        let key = self.0.insert(Watched {
            descriptor,
            interest,
        });
        match self.set(key, |source, target| {
            registry.register(source, target.token(), to_mio(interest)?)
        }) {
            Ok(()) => Ok(WatchId(key)),
            Err(error) => {
                self.0.remove(key);
                Err(match error.raw_os_error() {
                    Some(libc::EPERM) => io::Error::new(
                        io::ErrorKind::Unsupported,
                        "a file on disk is always ready; read it in a thread",
                    ),
                    _ => error,
                })
            }
        }
    }

    pub(crate) fn unwatch(&mut self, watch: WatchId, registry: &Registry) -> Option<Descriptor> {
        let gone = self.set(watch.0, |source, _| registry.deregister(source));
        if let Err(error) = gone {
            tracing::debug!(%error, "cannot unwatch a descriptor");
        }
        let watched = self.0.remove(watch.0)?;
        Some(Descriptor::new(watched.descriptor))
    }

    /// A descriptor is ready.
    pub(crate) fn serve(
        &mut self,
        key: Key,
        readiness: Readiness,
        registry: &Registry,
        handler: &mut dyn Handler,
    ) {
        let Some(watched) = self.0.get(key) else {
            return;
        };
        let (interest, watch) = (watched.interest, WatchId(key));
        let ready = Interest {
            readable: interest.readable && readiness.readable,
            writable: interest.writable && readiness.writable,
        };
        if ready.readable || ready.writable {
            handler.event(Event::Ready { watch, ready });
        }
        let again = self.set(key, |source, target| {
            registry.reregister(source, target.token(), to_mio(interest)?)
        });
        if let Err(error) = again {
            tracing::error!(%error, "a watched descriptor can be watched no more");
        }
    }

    fn set(
        &self,
        key: Key,
        set: impl FnOnce(&mut SourceFd<'_>, Target) -> io::Result<()>,
    ) -> io::Result<()> {
        match self.0.get(key) {
            Some(watched) => set(
                &mut SourceFd(&watched.descriptor.as_raw_fd()),
                Target::Watch(key),
            ),
            None => Ok(()),
        }
    }
}

fn to_mio(interest: Interest) -> io::Result<mio::Interest> {
    match (interest.readable, interest.writable) {
        (true, true) => Ok(mio::Interest::READABLE | mio::Interest::WRITABLE),
        (true, false) => Ok(mio::Interest::READABLE),
        (false, true) => Ok(mio::Interest::WRITABLE),
        (false, false) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a watch for neither reading nor writing",
        )),
    }
}
