//! Connections without a driver: descriptors of a simulated process, on their way from one reactor to another.

use std::fmt;
use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use ropewalk_core::driver::{ConnId, Descriptors, Interest, ListenerId, StreamOptions, WatchId};
use ropewalk_core::slots::Key;
use ropewalk_core::{Address, Descriptor, Inherited};

use crate::driver::{SimDriver, crashed};
use crate::network::Network;
use crate::wire::{Life, other};

/// A connection that no driver serves. Dropping it closes it, when its world moves next.
pub(crate) struct SimDescriptor {
    host: usize,
    end: (Key, usize),
    /// Whoever takes it over empties this.
    closing: Option<Closing>,
}

/// Ends whose descriptors were dropped; the network closes them when it gets to it. A descriptor may cross threads, the
/// network may not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing(Arc<Mutex<Vec<(Key, usize)>>>);

impl Closing {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Key, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SimDescriptor {
    fn drop(&mut self) {
        if let Some(closing) = self.closing.take() {
            closing.lock().push(self.end);
        }
    }
}

impl fmt::Debug for SimDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDescriptor")
    }
}

impl Network {
    /// The descriptor of an end that has no name.
    pub(crate) fn descriptor(&self, host: usize, key: Key, side: usize) -> SimDescriptor {
        SimDescriptor {
            host,
            end: (key, side),
            closing: Some(self.closing.clone()),
        }
    }

    /// Closes the ends whose descriptors were dropped.
    pub(crate) fn close_dropped(&mut self) {
        let dropped = take(&mut *self.closing.lock());
        for (key, side) in dropped {
            self.abandon(key, side);
        }
    }

    /// Gives an end a name again; that it is connected is told next. Descriptors stay within their host.
    pub(crate) fn adopt(
        &mut self,
        host: usize,
        mut socket: SimDescriptor,
    ) -> io::Result<(ConnId, Address)> {
        let (key, side) = socket.end;
        let there = self.wires.get(key).map(|wire| &wire.ends[side]);
        let open = there.is_some_and(|end| end.life == Life::Open && end.host == host);
        if !open || socket.host != host {
            return Err(io::ErrorKind::NotConnected.into());
        }
        socket.closing = None;
        let conn = ConnId(self.hosts[host].conns.insert((key, side)));
        let wire = self.wires.get_mut(key).expect("it is open");
        let (serial, end) = (wire.serial, &mut wire.ends[side]);
        (end.conn, end.fresh) = (Some(conn), true);
        let own = end.address.clone();
        self.note(host, format_args!("adopts c{serial}"));
        self.mark(key, side);
        self.pump(key, other(side));
        Ok((conn, own))
    }
}

impl Descriptors for SimDriver {
    /// A simulated process inherits no listening socket.
    fn adopt_listener(
        &mut self,
        _descriptor: Descriptor,
        _options: StreamOptions,
        _hand_over: bool,
    ) -> io::Result<(ListenerId, Address)> {
        Err(unsupported("is no listening socket"))
    }

    fn adopt_stream(
        &mut self,
        read: Descriptor,
        write: Option<Descriptor>,
    ) -> io::Result<(ConnId, Address)> {
        let is_one = write.is_none();
        let socket = read.into_inner::<SimDescriptor>().ok().filter(|_| is_one);
        let socket = socket.ok_or_else(|| unsupported("is no simulated connection"))?;
        self.ask(|network, host| network.adopt(host, socket))
            .unwrap_or_else(|| Err(crashed()))
    }

    fn standard_io(&mut self) -> io::Result<(ConnId, Address)> {
        Err(unsupported(
            "is not there: a simulated process has no standard input",
        ))
    }

    fn inherit(&mut self, which: &Inherited) -> io::Result<Descriptor> {
        let none = format!("{which} is not there: a simulated process inherits nothing");
        Err(io::Error::new(io::ErrorKind::NotFound, none))
    }

    fn watch(&mut self, _descriptor: Descriptor, _interest: Interest) -> io::Result<WatchId> {
        Err(unsupported("cannot be watched: it is nobody else's"))
    }

    fn unwatch(&mut self, _watch: WatchId) -> Option<Descriptor> {
        None
    }
}

fn unsupported(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("the descriptor {why}"))
}
