//! Many datagrams in one system call, where the kernel has such a call.
//!
//! ```text
//!   recvmmsg ─► memory: | first …    | second … | third …      |     each in its own stretch, of the port's limit
//!               got:     (12, peer)   (7, peer)  (4000, peer)
//! ```
//!
//! On Linux by `recvmmsg` of nix and `sendmmsg` of rustix: nix's sends forget how many went unless one reads addresses
//! that were never written, and rustix has no receiving one. Elsewhere one call for each datagram.
//!
//! The headers of one family are never used for another: the kernel writes how long an address was over how long it may
//! be, and nix leaves that so, which is right only as long as all are of one length. UNIX names are not, so UNIX datagrams
//! come one by one.

use std::io;
use std::net::SocketAddr;

use ropewalk_core::address::Address;
use ropewalk_core::driver::DatagramQueue;

use crate::datagram_port::{Socket, name_of};
use crate::unix_name;

/// The most datagrams that one call receives or sends.
pub(crate) const BATCH: usize = 32;

/// What one batch may fill: 32 of the usual limit, or 4 of the largest (FEATURES 3.14: 256 KiB per event).
const MEMORY: usize = BATCH * stride(8192);

/// How far apart two datagrams lie. Were it a power of two, the beginnings of all would compete for the same few lines of
/// the processor's cache.
const fn stride(limit: usize) -> usize {
    limit.next_multiple_of(64) + 64
}

/// Memory for a batch of received datagrams, one for all ports of a driver.
pub(crate) struct Batch {
    memory: Box<[u8]>,
    stride: usize,
    got: Vec<(usize, Address)>,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    headers: linux::Headers,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            memory: vec![0; MEMORY].into(),
            stride: MEMORY,
            got: Vec::with_capacity(BATCH),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            headers: linux::Headers::new(),
        }
    }
}

impl Batch {
    /// Receives some datagrams, each cut to `limit`; whether there was room for more.
    ///
    /// # Errors
    ///
    /// The kernel's: there is none, or the one before the first was refused.
    pub(crate) fn receive(&mut self, socket: &Socket, limit: usize) -> io::Result<bool> {
        self.got.clear();
        self.stride = stride(limit);
        let most = (self.memory.len() / self.stride).min(BATCH);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Socket::Udp(socket, family) = socket {
            let chunks = self.memory.chunks_exact_mut(self.stride);
            self.headers.receive(
                socket,
                *family,
                chunks.map(|chunk| &mut chunk[..limit]),
                &mut self.got,
            )?;
            return Ok(self.got.len() < most);
        }
        self.receive_singly(socket, limit, most)
    }

    fn receive_singly(&mut self, socket: &Socket, limit: usize, most: usize) -> io::Result<bool> {
        while self.got.len() < most {
            let start = self.got.len() * self.stride;
            let memory = &mut self.memory[start..start + limit];
            match receive_one(socket, memory) {
                Ok(got) => self.got.push(got),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if !self.got.is_empty() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    pub(crate) fn len(&self) -> usize {
        self.got.len()
    }

    /// One of those received last.
    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> (&Address, &mut [u8]) {
        let (len, peer) = &self.got[index];
        let start = index * self.stride;
        (peer, &mut self.memory[start..start + len])
    }
}

fn receive_one(socket: &Socket, memory: &mut [u8]) -> io::Result<(usize, Address)> {
    match socket {
        Socket::Udp(socket, _) => {
            let (len, peer) = socket.recv_from(memory)?;
            Ok((len, Address::Udp(peer)))
        }
        Socket::Unix(socket) => {
            let (len, peer) = socket.recv_from(memory)?;
            Ok((len, unix_name::from_kernel(&peer)))
        }
    }
}

/// Sends some of the first datagrams of a queue, `most` at most; how many went.
///
/// # Errors
///
/// The kernel does not take the first.
pub(crate) fn send(socket: &Socket, queue: &DatagramQueue, most: usize) -> io::Result<usize> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Socket::Udp(socket, _) = socket
        && queue.len().min(most) > 1
    {
        return linux::send(socket, queue, most);
    }
    let Some((data, peer)) = queue.iter().take(most).next() else {
        return Ok(0);
    };
    match (socket, peer) {
        (socket, None) => socket.as_socket().send(data)?,
        (Socket::Udp(socket, _), Some(Address::Udp(peer))) => socket.send_to(data, *peer)?,
        (socket, Some(peer)) => socket.as_socket().send_to(data, &name_of(peer)?)?,
    };
    Ok(1)
}

/// The address families whose addresses have one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) const fn of(address: SocketAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::array::from_fn;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::os::fd::AsRawFd;

    use mio::net::UdpSocket;
    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike};
    use ropewalk_core::address::Address;
    use ropewalk_core::driver::DatagramQueue;
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny};

    use super::{BATCH, Family};

    /// What the kernel is told of and tells about each datagram of a batch, kept so that a call allocates nothing.
    pub(super) struct Headers {
        v4: MultiHeaders<SockaddrIn>,
        v6: MultiHeaders<SockaddrIn6>,
    }

    impl Headers {
        pub(super) fn new() -> Self {
            Self {
                v4: MultiHeaders::preallocate(BATCH, None),
                v6: MultiHeaders::preallocate(BATCH, None),
            }
        }

        pub(super) fn receive<'a>(
            &'a mut self,
            socket: &UdpSocket,
            family: Family,
            memory: impl Iterator<Item = &'a mut [u8]>,
            got: &mut Vec<(usize, Address)>,
        ) -> io::Result<()> {
            match family {
                Family::V4 => receive(socket, &mut self.v4, memory, got, |from| {
                    SocketAddr::V4(SocketAddrV4::from(from))
                }),
                Family::V6 => receive(socket, &mut self.v6, memory, got, |from| {
                    SocketAddr::V6(SocketAddrV6::from(from))
                }),
            }
        }
    }

    fn receive<'a, S: SockaddrLike + Copy>(
        socket: &UdpSocket,
        headers: &'a mut MultiHeaders<S>,
        mut memory: impl Iterator<Item = &'a mut [u8]>,
        got: &mut Vec<(usize, Address)>,
        address: impl Fn(S) -> SocketAddr,
    ) -> io::Result<()> {
        let mut most = 0;
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = from_fn(|_| {
            let stretch = memory.next();
            most += usize::from(stretch.is_some());
            [IoSliceMut::new(stretch.unwrap_or_default())]
        });
        let received = nix::sys::socket::recvmmsg(
            socket.as_raw_fd(),
            headers,
            slices[..most].iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        )?;
        got.extend(received.filter_map(|datagram| {
            let peer = datagram.address.map(&address)?;
            Some((datagram.bytes, Address::Udp(peer)))
        }));
        Ok(())
    }

    pub(super) fn send(
        socket: &UdpSocket,
        queue: &DatagramQueue,
        most: usize,
    ) -> io::Result<usize> {
        let mut queued = queue.iter();
        let datagrams: [_; BATCH] = from_fn(|_| {
            let (data, peer) = queued.next().unwrap_or_default();
            let peer = peer.and_then(Address::socket).map(SocketAddrAny::from);
            ([IoSlice::new(data)], peer)
        });
        let mut controls: [_; BATCH] = from_fn(|_| SendAncillaryBuffer::default());
        let mut controls = controls.iter_mut();
        let mut headers: [_; BATCH] = from_fn(|index| {
            let (data, peer) = &datagrams[index];
            let control = controls.next().expect("as many as datagrams");
            match peer {
                Some(peer) => MMsgHdr::new_with_addr(peer, data, control),
                None => MMsgHdr::new(data, control),
            }
        });
        let count = queue.len().min(most).min(BATCH);
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(rustix::net::sendmmsg(socket, &mut headers[..count], flags)?)
    }
}
