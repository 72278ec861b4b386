//! What the bytes of a stream go through: a socket of either family, or two descriptors of anything.

use std::io::{self, IoSlice, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use ropewalk_core::address::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::SocketOption;
use ropewalk_core::{Descriptor, PeerCredentials};
use rustix::io::retry_on_intr;
use rustix::net::RecvFlags;
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::SendFlags;
use socket2::SockRef;

use crate::options;
use crate::pair::Pair;
use crate::{ancillary, file, unix_name};

pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Pair(Box<Pair>),
}

/// What a read may give instead of bytes.
pub(crate) enum NotBytes {
    /// Descriptors, and the bytes that came with them.
    Descriptors(Vec<Descriptor>, usize),
    Failed(io::Error),
}

impl From<io::Error> for NotBytes {
    #[cold]
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Socket {
    /// Watches it; gives whether reading is always possible, so that there will be no edges.
    pub(crate) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<bool> {
        match self {
            Self::Tcp(socket) => registry.register(socket, token, interest)?,
            Self::Unix(socket) => registry.register(socket, token, interest)?,
            Self::Pair(pair) => return pair.register(registry, token),
        }
        Ok(false)
    }

    /// Closes it, and watches it no more although another process may hold it too.
    pub(crate) fn deregister(self, registry: &Registry) {
        let gone = match self {
            Self::Tcp(mut socket) => registry.deregister(&mut socket),
            Self::Unix(mut socket) => registry.deregister(&mut socket),
            Self::Pair(pair) => return pair.close(Some(registry)),
        };
        if let Err(error) = gone {
            tracing::debug!(%error, "cannot unwatch a connection");
        }
    }

    pub(crate) fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => registry.reregister(socket, token, interest),
            Self::Unix(socket) => registry.reregister(socket, token, interest),
            Self::Pair(_) => Ok(()), // Its end for writing is watched for that from the start.
        }
    }

    /// Reads bytes, and descriptors where there can be any.
    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, NotBytes> {
        match self {
            Self::Tcp(socket) => Ok(receive(socket, buffer)?),
            Self::Unix(socket) => match ancillary::receive(&*socket, buffer)? {
                (count, descriptors) if descriptors.is_empty() || count == 0 => Ok(count),
                (count, descriptors) => Err(NotBytes::Descriptors(descriptors, count)),
            },
            Self::Pair(pair) => Ok(pair.read(buffer)?),
        }
    }

    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => send(socket, bytes),
            Self::Unix(socket) => socket.write(bytes),
            Self::Pair(pair) => pair.write(bytes),
        }
    }

    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write_vectored(slices),
            Self::Unix(socket) => socket.write_vectored(slices),
            Self::Pair(pair) => pair.write_vectored(slices),
        }
    }

    /// Writes what is followed by a file at once, so that the kernel may put both into one segment.
    pub(crate) fn write_before_more(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => file::write_before_more(socket, bytes),
            Self::Unix(_) | Self::Pair(_) => self.write(bytes),
        }
    }

    /// Sends some of the file that is next in the queue; how many bytes went. None if it must be, and was, read instead.
    pub(crate) fn send_file(
        &mut self,
        outgoing: &mut Outgoing,
        pool: &mut Pool,
    ) -> io::Result<usize> {
        match self {
            _ if outgoing.has_descriptors() => outgoing.read_file(pool).map(|()| 0),
            Self::Tcp(socket) => file::send(socket, outgoing, pool),
            Self::Unix(socket) => file::send(socket, outgoing, pool),
            Self::Pair(_) => outgoing.read_file(pool).map(|()| 0),
        }
    }

    /// Writes up to the next descriptor, and with the first byte those before it; how many bytes were asked for.
    #[cold]
    pub(crate) fn write_with_descriptors(
        &mut self,
        outgoing: &Outgoing,
    ) -> (usize, io::Result<usize>) {
        match self {
            Self::Unix(socket) => ancillary::send(&*socket, outgoing),
            Self::Tcp(_) | Self::Pair(_) => (0, Err(io::ErrorKind::Unsupported.into())),
        }
    }

    /// The registry is needed for a pair only.
    pub(crate) fn shutdown_write(&mut self, registry: Option<&Registry>) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Write),
            Self::Unix(socket) => socket.shutdown(Shutdown::Write),
            Self::Pair(pair) => pair.shutdown_write(registry),
        }
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        match self {
            Self::Tcp(socket) => socket.take_error(),
            Self::Unix(socket) => socket.take_error(),
            Self::Pair(pair) => Ok(pair.is_broken().then(|| io::ErrorKind::BrokenPipe.into())),
        }
    }

    pub(crate) fn host(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(socket) => socket.local_addr().map(Address::Tcp),
            Self::Unix(socket) => Ok(unix_name::from_kernel(&socket.local_addr()?)),
            Self::Pair(pair) => Ok(pair.address.clone()),
        }
    }

    pub(crate) fn peer(&self) -> io::Result<Address> {
        match self {
            Self::Tcp(socket) => socket.peer_addr().map(Address::Tcp),
            Self::Unix(socket) => Ok(unix_name::from_kernel(&socket.peer_addr()?)),
            Self::Pair(pair) => Ok(pair.address.clone()),
        }
    }

    /// Who is at the other end, where the kernel tells.
    pub(crate) fn credentials(&self) -> Option<PeerCredentials> {
        match self {
            Self::Tcp(_) | Self::Pair(_) => None,
            Self::Unix(socket) => credentials(socket),
        }
    }

    /// Makes the close that follows a reset, where there is such a thing: TCP.
    pub(crate) fn reset_at_close(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => SockRef::from(socket).set_linger(Some(Duration::ZERO)),
            Self::Unix(_) | Self::Pair(_) => Ok(()),
        }
    }

    /// Its descriptor, for another driver; a pair has two.
    pub(crate) fn into_descriptor(self) -> Option<Descriptor> {
        match self {
            Self::Tcp(socket) => Some(Descriptor::new(OwnedFd::from(socket))),
            Self::Unix(socket) => Some(Descriptor::new(OwnedFd::from(socket))),
            Self::Pair(_) => None,
        }
    }

    pub(crate) const fn is_pair(&self) -> bool {
        matches!(self, Self::Pair(_))
    }

    /// A UNIX socket and a pipe send at once anyway, and the peer cannot vanish: there is nothing to set.
    pub(crate) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => options::set(&SockRef::from(socket), option),
            Self::Unix(_) | Self::Pair(_) => Ok(()),
        }
    }
}

/// Reads from a TCP socket.
///
/// Where rustix can it makes the system call itself. glibc's functions are points at which a thread may be cancelled: that costs a
/// program of more than one thread, and the watchdog is one, 60 instructions and two locked ones at each call.
#[inline]
fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _) = retry_on_intr(|| rustix::net::recv(socket, &mut *buffer, RecvFlags::empty()))?;
    Ok(count)
}

/// Writes to a TCP socket; see [`receive`].
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn send(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    socket.write(bytes)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn credentials(socket: impl AsFd) -> Option<PeerCredentials> {
    let told = rustix::net::sockopt::socket_peercred(socket).ok()?;
    Some(PeerCredentials {
        process: told.pid.as_raw_nonzero().get().try_into().ok(),
        user: told.uid.as_raw(),
        group: told.gid.as_raw(),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn credentials(_: impl AsFd) -> Option<PeerCredentials> {
    None
}
