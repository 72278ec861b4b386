//! Datagram echoes that we are measured against: the loop that everybody writes first, the one that asks the kernel for many
//! datagrams at once, and tokio's.
#![allow(
    unsafe_code,
    reason = "recvmmsg and sendmmsg are called without anything between them and the kernel"
)]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use super::announce;
use crate::Outcome;

/// Room for one datagram: our own default limit.
const ROOM: usize = 8192;
const BATCH: usize = 64;

fn socket() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    announce(socket.local_addr()?.port())?;
    Ok(socket)
}

/// Receives one, sends one; serves until killed.
pub(crate) fn serve_singly() -> Outcome<()> {
    let socket = socket()?;
    let mut buffer = vec![0; ROOM];
    loop {
        let (length, peer) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], peer)?;
    }
}

/// Receives what is there, up to 64, and sends it back by one call each, from where it lies; serves until killed.
pub(crate) fn serve_batches() -> Outcome<()> {
    let socket = socket()?;
    let mut memory = vec![0u8; BATCH * (ROOM + 64)];
    // SAFETY: all fields are integers and pointers, for which zeros are values.
    let mut names: [libc::sockaddr_in; BATCH] = unsafe { mem::zeroed() };
    let mut slices: Vec<libc::iovec> = memory
        .chunks_exact_mut(ROOM + 64)
        .map(|chunk| libc::iovec {
            iov_base: chunk.as_mut_ptr().cast(),
            iov_len: ROOM,
        })
        .collect();
    // SAFETY: as above.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
    for ((header, slice), name) in headers.iter_mut().zip(&mut slices).zip(&mut names) {
        header.msg_hdr.msg_iov = ptr::from_mut(slice);
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = ptr::from_mut(name).cast();
        header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    }
    loop {
        let count = receive(&socket, &mut headers)?;
        for (slice, header) in slices.iter_mut().zip(&headers[..count]) {
            slice.iov_len = header.msg_len as usize;
        }
        send(&socket, &mut headers[..count])?;
        slices[..count]
            .iter_mut()
            .for_each(|slice| slice.iov_len = ROOM);
    }
}

fn receive(socket: &UdpSocket, headers: &mut [libc::mmsghdr; BATCH]) -> io::Result<usize> {
    let flags = libc::MSG_WAITFORONE;
    // SAFETY: every header points to memory that outlives the call, of the lengths that it says.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            BATCH as u32,
            flags as _,
            ptr::null_mut(),
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

fn send(socket: &UdpSocket, mut headers: &mut [libc::mmsghdr]) -> io::Result<()> {
    while !headers.is_empty() {
        let count = headers.len() as u32;
        // SAFETY: as in `receive`.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
        let sent = usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
        headers = &mut headers[sent..];
    }
    Ok(())
}

/// tokio's socket in a task of its own; serves until killed.
pub(crate) fn serve_tokio() -> Outcome<()> {
    let mut builder = ::tokio::runtime::Builder::new_current_thread();
    builder.enable_io().build()?.block_on(async {
        let socket = socket()?;
        socket.set_nonblocking(true)?;
        let socket = ::tokio::net::UdpSocket::from_std(socket)?;
        let mut buffer = vec![0; ROOM];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..length], peer).await?;
        }
    })
}
