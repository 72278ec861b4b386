//! Descriptors beside the bytes of a UNIX socket (`SCM_RIGHTS`).
//!
//! The kernel ends a read behind a message that brought descriptors, so a short read does not mean an empty socket there:
//! whoever uses `recv` on such a socket, and trusts edges, hangs when the peer sends a descriptor that nobody asked for.
//! Hence every read of a UNIX socket is a `recvmsg`, which says whether any came; without any it costs a few nanoseconds
//! more.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ropewalk_core::Descriptor;
use ropewalk_core::buffer::{MOST_DESCRIPTORS, Outgoing};
use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

const SPACE: usize = rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS));

#[cfg(not(target_vendor = "apple"))]
const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const RECEIVE: RecvFlags = RecvFlags::empty();

#[cfg(not(target_vendor = "apple"))]
const SEND: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
const SEND: SendFlags = SendFlags::empty();

/// Reads bytes, and the descriptors that came with them; none survives an `exec`.
///
/// # Errors
///
/// The kernel's; or descriptors were lost, because there were too many for one message or for the process. Then the
/// connection is good for nothing: nobody knows what the lost ones were.
pub(crate) fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> io::Result<(usize, Vec<Descriptor>)> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let received =
        retry_on_intr(|| rustix::net::recvmsg(&socket, &mut slices, &mut control, RECEIVE))?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = message {
            descriptors.extend(came.map(own));
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other(format!(
            "descriptors were lost: the peer sent more than {MOST_DESCRIPTORS} in one message, or this process may have no more"
        )));
    }
    Ok((received.bytes, descriptors))
}

fn own(descriptor: OwnedFd) -> Descriptor {
    #[cfg(target_vendor = "apple")]
    if let Err(error) = rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC) {
        tracing::debug!(%error, "a received descriptor will survive an exec");
    }
    Descriptor::new(descriptor)
}

/// Sends the front of the queue, with the descriptors that belong to its first byte; how many bytes were asked for, and what
/// came of it.
pub(crate) fn send(socket: impl AsFd, outgoing: &Outgoing) -> (usize, io::Result<usize>) {
    let bytes = outgoing.first();
    let bytes = &bytes[..bytes.len().min(outgoing.until_descriptor())];
    let descriptors: Vec<BorrowedFd<'_>> = outgoing
        .descriptors()
        .filter_map(|descriptor| {
            let owned = descriptor.inner::<OwnedFd>();
            if owned.is_none() {
                tracing::error!("a descriptor of another driver cannot be sent; it is closed");
            }
            owned.map(AsFd::as_fd)
        })
        .collect();
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SEND);
    (bytes.len(), sent.map_err(Into::into))
}
