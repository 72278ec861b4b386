//! The options of TCP sockets.

use std::io;
use std::time::Duration;

use ropewalk_core::driver::{SocketOption, StreamOptions};
use socket2::{SockRef, TcpKeepalive};

/// Sets one of a connected socket.
pub(crate) fn set(socket: &SockRef<'_>, option: SocketOption) -> io::Result<()> {
    match option {
        SocketOption::NoDelay(on) => socket.set_tcp_nodelay(on),
        SocketOption::KeepAlive(Some(after)) => keep_alive(socket, after),
        SocketOption::KeepAlive(None) => socket.set_keepalive(false),
        SocketOption::UserTimeout(after) => user_timeout(socket, after),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Sets the options of a new socket; a listener's are inherited by what it accepts (on Linux).
pub(crate) fn apply(options: StreamOptions, socket: &SockRef<'_>) -> io::Result<()> {
    if options.no_delay {
        socket.set_tcp_nodelay(true)?;
    }
    match options.keep_alive {
        Some(after) => keep_alive(socket, after),
        None => Ok(()),
    }
}

/// Kernels count in whole seconds and refuse 0 and more than 32767.
///
/// The probes after the first follow four times as quickly, where that can be set: with Linux's nine of them a peer that
/// vanished is noticed after three times and a quarter of `after`, and not eleven minutes later.
fn keep_alive(socket: &SockRef<'_>, after: Duration) -> io::Result<()> {
    let seconds = after
        .as_secs()
        .saturating_add(u64::from(after.subsec_nanos() > 0));
    let seconds = seconds.clamp(1, 32_767);
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(seconds));
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple"
    ))]
    let probes = probes.with_interval(Duration::from_secs((seconds / 4).max(1)));
    socket.set_tcp_keepalive(&probes)
}

/// A time-out below a millisecond is rounded up, because the kernel takes 0 as "its own".
#[cfg(any(target_os = "linux", target_os = "android"))]
fn user_timeout(socket: &SockRef<'_>, after: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_user_timeout(after.map(|after| after.max(Duration::from_millis(1))))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn user_timeout(_: &SockRef<'_>, _: Option<Duration>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
