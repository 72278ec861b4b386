//! What the driver makes of descriptors that it did not open itself.

use std::io;
use std::os::fd::OwnedFd;

use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use ropewalk_core::address::Address;
use ropewalk_core::driver::{ConnId, Descriptors, Interest, ListenerId, StreamOptions, WatchId};
use ropewalk_core::{Descriptor, Inherited};
use socket2::{Domain, SockRef, Type};

use crate::MioDriver;
use crate::inherit;
use crate::listener::{Listener, ListeningSocket};
use crate::pair::Pair;
use crate::socket::Socket;

/// The kernel's descriptor.
pub(crate) fn owned(descriptor: Descriptor) -> io::Result<OwnedFd> {
    descriptor
        .into_inner()
        .map_err(|_| wrong("it is the descriptor of another driver"))
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

/// Which family of stream sockets it is.
fn family(descriptor: &OwnedFd) -> io::Result<Domain> {
    let socket = SockRef::from(descriptor);
    match socket.r#type() {
        Ok(Type::STREAM) => {}
        Ok(_) => return Err(wrong("it is a socket of datagrams, not of streams")),
        Err(_) => return Err(wrong("it is no socket")),
    }
    let family = socket.local_addr()?.domain();
    if [Domain::IPV4, Domain::IPV6, Domain::UNIX].contains(&family) {
        return Ok(family);
    }
    Err(wrong("it is neither a TCP nor a UNIX socket"))
}

/// Takes over a socket that is bound; it listens after this if it did not before.
pub(crate) fn listening(descriptor: Descriptor) -> io::Result<ListeningSocket> {
    let descriptor = owned(descriptor)?;
    let family = family(&descriptor)?;
    let socket = SockRef::from(&descriptor);
    if socket.peer_addr().is_ok() {
        return Err(wrong("it is a connection, not a socket to listen at"));
    }
    if !is_listener(&socket)? {
        socket.listen(1024)?;
    }
    socket.set_nonblocking(true)?;
    Ok(match family {
        Domain::UNIX => ListeningSocket::Unix(UnixListener::from(descriptor)),
        _ => ListeningSocket::Tcp(TcpListener::from(descriptor)),
    })
}

#[cfg(not(target_vendor = "apple"))]
fn is_listener(socket: &SockRef<'_>) -> io::Result<bool> {
    socket.is_listener()
}

/// Apple's kernels do not tell; to listen again changes the length of the queue only.
#[cfg(target_vendor = "apple")]
fn is_listener(_: &SockRef<'_>) -> io::Result<bool> {
    Ok(false)
}

fn connected(descriptor: OwnedFd) -> io::Result<Socket> {
    let family = family(&descriptor)?;
    SockRef::from(&descriptor).set_nonblocking(true)?;
    Ok(match family {
        Domain::UNIX => Socket::Unix(UnixStream::from(descriptor)),
        _ => Socket::Tcp(TcpStream::from(descriptor)),
    })
}

impl Descriptors for MioDriver {
    fn adopt_listener(
        &mut self,
        descriptor: Descriptor,
        options: StreamOptions,
        hand_over: bool,
    ) -> io::Result<(ListenerId, Address)> {
        let socket = listening(descriptor)?;
        let listener = Listener::adopted(socket, options, hand_over)?;
        self.listeners.add(listener, self.poll.registry())
    }

    fn adopt_stream(
        &mut self,
        read: Descriptor,
        write: Option<Descriptor>,
    ) -> io::Result<(ConnId, Address)> {
        let read = owned(read)?;
        let socket = match write {
            Some(write) => {
                let pair = Pair::new(read, owned(write)?, Address::Pipe)?;
                Socket::Pair(Box::new(pair))
            }
            None => connected(read)?,
        };
        self.sockets.adopt(socket, self.poll.registry())
    }

    fn standard_io(&mut self) -> io::Result<(ConnId, Address)> {
        let (read, write) = inherit::take_standard_io()?;
        let pair = Pair::new(read, write, Address::Stdio)?;
        let socket = Socket::Pair(Box::new(pair));
        self.sockets.adopt(socket, self.poll.registry())
    }

    fn inherit(&mut self, which: &Inherited) -> io::Result<Descriptor> {
        inherit::take(which).map(Descriptor::new)
    }

    fn watch(&mut self, descriptor: Descriptor, interest: Interest) -> io::Result<WatchId> {
        let registry = self.poll.registry();
        self.watches.watch(descriptor, interest, registry)
    }

    fn unwatch(&mut self, watch: WatchId) -> Option<Descriptor> {
        self.watches.unwatch(watch, self.poll.registry())
    }
}
