//! What a driver may add for descriptors that it did not make itself: inherited, handed over, or another library's.

use std::io;

use crate::address::Address;
use crate::descriptor::{Descriptor, Inherited};
use crate::slots::Key;

use super::{ConnId, ListenerId, StreamOptions};

/// Names a watch on a foreign descriptor of one driver, and never two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(pub Key);

/// Serves descriptors that come from elsewhere. A driver that can gives it by
/// [`Driver::descriptors`](super::Driver::descriptors).
pub trait Descriptors {
    /// Listens with a socket that is bound already, and listens or not yet.
    ///
    /// # Errors
    ///
    /// It is no socket of streams, or the kernel's error. The descriptor is closed.
    fn adopt_listener(
        &mut self,
        descriptor: Descriptor,
        options: StreamOptions,
        hand_over: bool,
    ) -> io::Result<(ListenerId, Address)>;

    /// Serves a connected socket, or two descriptors of anything that can be read and written, as one connection. It
    /// gives its name and our end; [`Event::Connected`](super::Event::Connected) follows as after
    /// [`Driver::connect`](super::Driver::connect).
    ///
    /// Flags of a descriptor that others share are set back when the connection has ended.
    ///
    /// # Errors
    ///
    /// It is of a kind that cannot be served, or the kernel's error. Both are closed.
    fn adopt_stream(
        &mut self,
        read: Descriptor,
        write: Option<Descriptor>,
    ) -> io::Result<(ConnId, Address)>;

    /// Serves standard input and output as one connection, as [`adopt_stream`](Self::adopt_stream) does.
    ///
    /// # Errors
    ///
    /// They are taken already, or the kernel's error.
    fn standard_io(&mut self) -> io::Result<(ConnId, Address)>;

    /// Takes a descriptor that the parent left open; its number is closed (R114).
    ///
    /// # Errors
    ///
    /// There is none of that number or name, or not any more.
    fn inherit(&mut self, which: &Inherited) -> io::Result<Descriptor>;

    /// Reports from now on, each turn, whether a foreign descriptor is ready, until it is not or nobody watches
    /// ([`Event::Ready`](super::Event::Ready)).
    ///
    /// # Errors
    ///
    /// It is of a kind that is always ready (a file on disk), or the kernel's error. The descriptor is closed.
    fn watch(&mut self, descriptor: Descriptor, interest: Interest) -> io::Result<WatchId>;

    /// Watches no more: no event will name it. Gives the descriptor back.
    fn unwatch(&mut self, watch: WatchId) -> Option<Descriptor>;
}

/// What is watched for, or what a descriptor is ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest {
    /// To be read: there are bytes, an end, or an error.
    pub readable: bool,
    /// To be written, or broken.
    pub writable: bool,
}

impl Interest {
    /// Reading only.
    pub const READABLE: Self = Self {
        readable: true,
        writable: false,
    };
    /// Writing only.
    pub const WRITABLE: Self = Self {
        readable: false,
        writable: true,
    };
    /// Both.
    pub const BOTH: Self = Self {
        readable: true,
        writable: true,
    };
}
