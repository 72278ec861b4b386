//! Starts a connection; the kernel says later what became of it.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use ropewalk_core::address::Address;
use ropewalk_core::driver::Connect;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::stream::apply;

/// A socket on its way to the peer.
///
/// # Errors
///
/// The kernel knows at once that it cannot be: no descriptor, a bind address that is not ours, no route.
pub(crate) fn start(connect: &Connect) -> io::Result<TcpStream> {
    let peer = socket_address(&connect.address)?;
    let socket = new_socket(peer)?;
    apply(connect.options, &SockRef::from(&socket))?;
    if let Some(bind) = &connect.bind {
        socket.bind(&socket_address(bind)?.into())?;
    }
    match socket.connect(&peer.into()) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// The address of the internet kind, the only one that this driver has.
pub(crate) fn socket_address(address: &Address) -> io::Result<SocketAddr> {
    address.socket().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{address} is not an address of TCP"),
        )
    })
}

/// A TCP socket that neither blocks nor survives `exec`, in one system call where that is possible.
pub(crate) fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let socket = {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket
    };
    Ok(socket)
}

/// An interrupted connect goes on in the background (POSIX, connect).
fn is_under_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}
