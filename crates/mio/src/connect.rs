//! Starts a connection; the kernel says later what became of it.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpStream, UnixStream};
use ropewalk_core::address::{Address, UnixAddress};
use ropewalk_core::driver::Connect;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket as RawSocket, Type};

use crate::options::apply;
use crate::socket::Socket;
use crate::unix_name;

/// A socket on its way to the peer.
///
/// # Errors
///
/// The kernel knows at once that it cannot be: no descriptor, a bind address that is not ours, no route, nobody at a path.
pub(crate) fn start(connect: &Connect) -> io::Result<Socket> {
    match &connect.address {
        Address::Unix(address) => start_unix(address, connect),
        address => start_tcp(socket_address(address)?, connect),
    }
}

fn start_tcp(peer: SocketAddr, connect: &Connect) -> io::Result<Socket> {
    let socket = new_socket(peer)?;
    apply(connect.options, &SockRef::from(&socket))?;
    if let Some(bind) = &connect.bind {
        socket.bind(&socket_address(bind)?.into())?;
    }
    begin(&socket, &peer.into())?;
    Ok(Socket::Tcp(TcpStream::from_std(socket.into())))
}

/// The kernel connects a UNIX socket at once or not at all; the connection waits in the server's backlog.
fn start_unix(address: &UnixAddress, connect: &Connect) -> io::Result<Socket> {
    let peer = unix_name::to_kernel(address)?;
    if connect.bind.is_some() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a UNIX client has no address to connect from",
        ));
    }
    let socket = new_unix_socket()?;
    begin(&socket, &peer).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(
            io::ErrorKind::ConnectionRefused,
            "the server accepts too slowly: its backlog is full",
        ),
        _ => error,
    })?;
    Ok(Socket::Unix(UnixStream::from_std(socket.into())))
}

fn begin(socket: &RawSocket, peer: &SockAddr) -> io::Result<()> {
    match socket.connect(peer) {
        Err(error) if !is_under_way(&error) => Err(error),
        _ => Ok(()),
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

/// A TCP socket that neither blocks nor survives `exec`.
pub(crate) fn new_socket(address: SocketAddr) -> io::Result<RawSocket> {
    new(Domain::for_address(address), Some(Protocol::TCP))
}

/// A UNIX socket that neither blocks nor survives `exec`.
pub(crate) fn new_unix_socket() -> io::Result<RawSocket> {
    new(Domain::UNIX, None)
}

/// In one system call where that is possible.
fn new(domain: Domain, protocol: Option<Protocol>) -> io::Result<RawSocket> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let socket = RawSocket::new(domain, Type::STREAM.nonblocking(), protocol)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let socket = {
        let socket = RawSocket::new(domain, Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        socket
    };
    Ok(socket)
}

/// An interrupted connect goes on in the background (POSIX, connect).
fn is_under_way(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}
