//! The few system calls of the bare loops and of the load generators: TCP on loopback, UNIX sockets and epoll.
//!
//! Not for the engine, and not portable: Linux only. Each call here is one system call and nothing
//! more, so that the bare loop stays the floor that everything else is compared with.
#![allow(
    unsafe_code,
    reason = "the bare epoll loop is written with libc calls, so that nothing of ours or of a \
              library's is between it and the kernel"
)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// Length of every listener's queue of connections not yet accepted.
pub(crate) const BACKLOG: i32 = 4096;

/// What an epoll registration waits for.
pub(crate) const READABLE: u32 = libc::EPOLLIN as u32;
/// Room in the send buffer, or the outcome of a connect.
pub(crate) const WRITABLE: u32 = libc::EPOLLOUT as u32;

const EVENTS_PER_WAIT: usize = 1024;

/// One epoll descriptor and room for the events of one wait.
pub(crate) struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointer is passed.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS_PER_WAIT];
        // SAFETY: the kernel has just given us this descriptor and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, events })
    }

    /// Watches `fd`, level-triggered; its events carry `token`.
    pub(crate) fn add(&self, fd: RawFd, token: u64, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    /// Changes what `fd` is watched for.
    pub(crate) fn modify(&self, fd: RawFd, token: u64, interest: u32) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    /// Waits, and returns how many events [`Epoll::event`] can now tell. −1 waits for ever.
    pub(crate) fn wait(&mut self, timeout_ms: i32) -> io::Result<usize> {
        let (fd, room) = (self.fd.as_raw_fd(), self.events.len() as i32);
        // SAFETY: `events` has room for `room` events for the length of the call.
        let count = unsafe { libc::epoll_wait(fd, self.events.as_mut_ptr(), room, timeout_ms) };
        match check(count) {
            Ok(count) => Ok(count as usize),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The token and the readiness of one event of the last wait.
    pub(crate) fn event(&self, index: usize) -> (u64, u32) {
        let event = self.events[index];
        (event.u64, event.events)
    }

    fn control(&self, operation: i32, fd: RawFd, token: u64, interest: u32) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest,
            u64: token,
        };
        // SAFETY: `event` lives until the call returns; the kernel copies it.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), operation, fd, &mut event) })?;
        Ok(())
    }
}

/// A non-blocking listener on a free loopback port, with room for [`BACKLOG`] connections.
pub(crate) fn listener() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // SAFETY: no pointer is passed. Listening again only changes the length of the queue.
    check(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) })?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// The abstract name of the UNIX socket of the server with that process number.
pub(crate) fn unix_name(pid: u32) -> String {
    format!("ropewalk-bench-{pid}")
}

/// The address with that name.
pub(crate) fn unix_address(pid: u32) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(unix_name(pid))
}

/// A non-blocking listener under this process's name, with room for as many.
pub(crate) fn unix_listener() -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(&unix_address(std::process::id())?)?;
    // SAFETY: no pointer is passed. Listening again only changes the length of the queue.
    check(unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts one connection, non-blocking; `None` if none waits.
pub(crate) fn accept(listener: RawFd) -> io::Result<Option<OwnedFd>> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let no_address = std::ptr::null_mut();
    // SAFETY: null pointers say that the peer's address is not wanted.
    let fd = unsafe { libc::accept4(listener, no_address, std::ptr::null_mut(), flags) };
    // SAFETY: the kernel has just given us this descriptor and nothing else owns it.
    Ok(unless_blocked(check(fd))?.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Begins to connect from `source` to `port` on 127.0.0.1; the descriptor becomes writable when done.
pub(crate) fn connect_from(source: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointer is passed.
    let fd = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
    // SAFETY: the kernel has just given us this descriptor and nothing else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // The port is chosen at connect, when both ends are known: else 28 000 ports are all there are.
    set_option(
        fd.as_raw_fd(),
        libc::IPPROTO_IP,
        libc::IP_BIND_ADDRESS_NO_PORT,
        1i32,
    )?;
    let (from, to) = (address(source, 0), address(Ipv4Addr::LOCALHOST, port));
    let length = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: `from` is a `sockaddr_in` of `length` bytes and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const from).cast(), length) })?;
    // SAFETY: as above, for `to`.
    match check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const to).cast(), length) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(fd),
    }
}

/// Receives once; `None` if nothing is there, `Some(0)` at the end of the stream.
pub(crate) fn recv(fd: RawFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
    let count = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    unless_blocked(check_size(count))
}

/// Sends once; the number of bytes taken, 0 if the send buffer is full.
pub(crate) fn send(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the kernel reads at most `bytes.len()` bytes from `bytes`.
    let count = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    Ok(unless_blocked(check_size(count))?.unwrap_or(0))
}

/// Ends our half of the stream.
pub(crate) fn shutdown_write(fd: RawFd) -> io::Result<()> {
    // SAFETY: no pointer is passed.
    check(unsafe { libc::shutdown(fd, libc::SHUT_WR) })?;
    Ok(())
}

/// Small segments leave at once.
pub(crate) fn set_no_delay(fd: RawFd) -> io::Result<()> {
    set_option(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1i32)
}

/// Closing resets the connection, so that no port waits for a minute after a run.
pub(crate) fn set_reset_on_close(fd: RawFd) -> io::Result<()> {
    set_option(
        fd,
        libc::SOL_SOCKET,
        libc::SO_LINGER,
        libc::linger {
            l_onoff: 1,
            l_linger: 0,
        },
    )
}

fn set_option<T>(fd: RawFd, level: i32, name: i32, value: T) -> io::Result<()> {
    let length = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is `length` bytes long and outlives the call; the kernel checks the rest.
    check(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), length) })?;
    Ok(())
}

fn address(host: Ipv4Addr, port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(host).to_be(),
        },
        sin_zero: [0; 8],
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
