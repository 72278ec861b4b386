//! The floor of forwarding: two sockets that are each other's way out, one recv and one send per event, no splice.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::announce;
use super::bare::RECEIVE_BYTES;
use crate::Outcome;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

/// One end; what came from the other and the kernel has not yet taken waits in it, and then the other is not read.
struct End {
    fd: OwnedFd,
    other: RawFd,
    unsent: Vec<u8>,
}

struct Forwarder {
    backend: u16,
    epoll: Epoll,
    listener: TcpListener,
    /// By descriptor.
    ends: Vec<Option<End>>,
}

/// Forwards to `backend` on 127.0.0.1 until killed.
pub(crate) fn serve(backend: u16) -> Outcome<()> {
    let (listener, port) = socket::listener()?;
    let epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), listener.as_raw_fd() as u64, READABLE)?;
    let mut forwarder = Forwarder {
        backend,
        epoll,
        listener,
        ends: Vec::new(),
    };
    let mut buffer = vec![0; RECEIVE_BYTES];
    announce(port)?;
    loop {
        for index in 0..forwarder.epoll.wait(-1)? {
            let (token, readiness) = forwarder.epoll.event(index);
            forwarder.event(token as RawFd, readiness, &mut buffer)?;
        }
    }
}

impl Forwarder {
    fn event(&mut self, fd: RawFd, readiness: u32, buffer: &mut [u8]) -> Outcome<()> {
        if fd == self.listener.as_raw_fd() {
            return self.accept_all();
        }
        if readiness & WRITABLE != 0 {
            self.flush(fd)?;
        }
        if readiness & !WRITABLE != 0 {
            self.receive(fd, buffer)?;
        }
        Ok(())
    }

    fn accept_all(&mut self) -> Outcome<()> {
        while let Some(near) = socket::accept(self.listener.as_raw_fd())? {
            let far = socket::connect_from(Ipv4Addr::LOCALHOST, self.backend)?;
            let raw = [near.as_raw_fd(), far.as_raw_fd()];
            for (fd, other, interest) in [
                (near, raw[1], READABLE),
                (far, raw[0], READABLE | WRITABLE), // writable: connected
            ] {
                self.add(fd, other, interest)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, fd: OwnedFd, other: RawFd, interest: u32) -> Outcome<()> {
        let raw = fd.as_raw_fd();
        socket::set_no_delay(raw)?;
        self.epoll.add(raw, raw as u64, interest)?;
        let index = raw as usize;
        if index >= self.ends.len() {
            self.ends.resize_with(index + 1, || None);
        }
        let unsent = Vec::new();
        self.ends[index] = Some(End { fd, other, unsent });
        Ok(())
    }

    fn receive(&mut self, fd: RawFd, buffer: &mut [u8]) -> Outcome<()> {
        let Some(other) = self.ends[fd as usize].as_ref().map(|end| end.other) else {
            return Ok(());
        };
        match socket::recv(fd, buffer) {
            Ok(None) => Ok(()),
            Ok(Some(0)) | Err(_) => {
                self.close(fd);
                Ok(())
            }
            Ok(Some(count)) => self.send(other, &buffer[..count]),
        }
    }

    fn send(&mut self, fd: RawFd, bytes: &[u8]) -> Outcome<()> {
        let Some(end) = &mut self.ends[fd as usize] else {
            return Ok(());
        };
        let sent = if end.unsent.is_empty() {
            socket::send(end.fd.as_raw_fd(), bytes)
        } else {
            Ok(0)
        };
        match sent {
            Ok(count) if count == bytes.len() => {}
            Ok(count) => {
                end.unsent.extend_from_slice(&bytes[count..]);
                self.watch_both(fd)?;
            }
            Err(_) => self.close(fd),
        }
        Ok(())
    }

    fn flush(&mut self, fd: RawFd) -> Outcome<()> {
        let Some(end) = &mut self.ends[fd as usize] else {
            return Ok(());
        };
        match socket::send(fd, &end.unsent) {
            Ok(count) if count == end.unsent.len() => {
                end.unsent = Vec::new();
                self.watch_both(fd)?;
            }
            Ok(count) => drop(end.unsent.drain(..count)),
            Err(_) => self.close(fd),
        }
        Ok(())
    }

    /// An end is written to while something waits in it, and read while nothing waits in the other.
    fn watch_both(&self, fd: RawFd) -> Outcome<()> {
        let end = |fd: RawFd| self.ends[fd as usize].as_ref();
        let Some((one, other)) = end(fd).and_then(|one| Some((one, end(one.other)?))) else {
            return Ok(());
        };
        for (here, there) in [(one, other), (other, one)] {
            let writes = if here.unsent.is_empty() { 0 } else { WRITABLE };
            let reads = if there.unsent.is_empty() { READABLE } else { 0 };
            let fd = here.fd.as_raw_fd();
            self.epoll.modify(fd, fd as u64, reads | writes)?;
        }
        Ok(())
    }

    fn close(&mut self, fd: RawFd) {
        if let Some(end) = self.ends[fd as usize].take() {
            self.ends[end.other as usize] = None;
        }
    }
}
