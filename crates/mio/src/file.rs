//! Files that the kernel sends by itself, and what is written before them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use ropewalk_core::buffer::{FileRange, Outgoing, Pool};

/// Sends some of the file that is next in the queue; how many bytes went.
///
/// A short count means nothing: signals interrupt the call, so only an error says that the socket is full. Where the kernel cannot
/// send the file it is read instead, and the count is 0.
pub(crate) fn send(
    socket: impl AsFd,
    outgoing: &mut Outgoing,
    pool: &mut Pool,
) -> io::Result<usize> {
    let descriptor = outgoing.first_file().and_then(open_descriptor);
    let sent = descriptor.map(|(file, range)| by_kernel(socket, file, range));
    match sent {
        Some(Ok(count)) => {
            outgoing.advance(count, pool);
            Ok(count)
        }
        Some(Err(error)) if !is_unable(&error) => Err(error),
        _ => outgoing.read_file(pool).map(|()| 0),
    }
}

fn open_descriptor(range: &FileRange) -> Option<(&OwnedFd, &FileRange)> {
    let descriptor = range.source().descriptor()?.inner::<OwnedFd>()?;
    Some((descriptor, range))
}

/// Some files cannot be sent so, such as those of /proc, and some sockets.
fn is_unable(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported];
    kinds.contains(&error.kind())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn by_kernel(socket: impl AsFd, file: &OwnedFd, range: &FileRange) -> io::Result<usize> {
    /// A call holds up the loop for no longer than this takes.
    const MOST: usize = 1 << 20;

    let mut offset = range.offset();
    loop {
        match rustix::fs::sendfile(&socket, file, Some(&mut offset), range.len().min(MOST)) {
            Ok(0) => return Err(range.ended_early()),
            Ok(count) => return Ok(count),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn by_kernel(_: impl AsFd, _: &OwnedFd, _: &FileRange) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn write_before_more(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::SendFlags;
    Ok(rustix::net::send(
        socket,
        bytes,
        SendFlags::MORE | SendFlags::NOSIGNAL,
    )?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn write_before_more(mut socket: impl io::Write, bytes: &[u8]) -> io::Result<usize> {
    socket.write(bytes)
}
