//! The floor: a level-triggered epoll loop with one recv and one send per event.
//!
//! It answers each message at once. It is honest about partial writes: what the kernel did not take
//! waits in a buffer of the connection, and until that is gone the connection is not read.

use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{Mode, announce};
use crate::Outcome;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

/// One buffer for all connections, as large as the engine's own.
pub(crate) const RECEIVE_BYTES: usize = 64 * 1024;

struct Connection {
    fd: OwnedFd,
    /// What the kernel has not yet taken; empty nearly always.
    unsent: Vec<u8>,
}

struct Bare {
    mode: Mode,
    epoll: Epoll,
    listener: TcpListener,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
}

/// Serves until killed.
pub(crate) fn serve(mode: Mode) -> Outcome<()> {
    let (listener, port) = socket::listener()?;
    let epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), listener.as_raw_fd() as u64, READABLE)?;
    let mut bare = Bare {
        mode,
        epoll,
        listener,
        connections: Vec::new(),
    };
    let mut buffer = vec![0; RECEIVE_BYTES];
    announce(port)?;
    loop {
        bare.turn(&mut buffer)?;
    }
}

impl Bare {
    fn turn(&mut self, buffer: &mut [u8]) -> Outcome<()> {
        for index in 0..self.epoll.wait(-1)? {
            let (token, readiness) = self.epoll.event(index);
            let fd = token as RawFd;
            if fd == self.listener.as_raw_fd() {
                self.accept_all()?;
            } else if readiness & WRITABLE != 0 {
                self.flush(fd)?;
            } else {
                self.receive(fd, buffer)?;
            }
        }
        Ok(())
    }

    fn accept_all(&mut self) -> Outcome<()> {
        while let Some(fd) = socket::accept(&self.listener)? {
            let raw = fd.as_raw_fd();
            if self.mode != Mode::Accept {
                socket::set_no_delay(raw)?;
            }
            self.epoll.add(raw, raw as u64, READABLE)?;
            let index = raw as usize;
            if index >= self.connections.len() {
                self.connections.resize_with(index + 1, || None);
            }
            self.connections[index] = Some(Connection {
                fd,
                unsent: Vec::new(),
            });
        }
        Ok(())
    }

    fn receive(&mut self, fd: RawFd, buffer: &mut [u8]) -> Outcome<()> {
        match socket::recv(fd, buffer) {
            Ok(None) => Ok(()),
            Ok(Some(0)) | Err(_) => {
                self.close(fd);
                Ok(())
            }
            Ok(Some(count)) if self.mode == Mode::Broadcast => self.send_to_all(&buffer[..count]),
            Ok(Some(count)) => self.send(fd, &buffer[..count]),
        }
    }

    fn send_to_all(&mut self, bytes: &[u8]) -> Outcome<()> {
        for index in 0..self.connections.len() {
            if self.connections[index].is_some() {
                self.send(index as RawFd, bytes)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, fd: RawFd, bytes: &[u8]) -> Outcome<()> {
        let Some(connection) = &mut self.connections[fd as usize] else {
            return Ok(());
        };
        if !connection.unsent.is_empty() {
            connection.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        match socket::send(connection.fd.as_raw_fd(), bytes) {
            Ok(count) if count == bytes.len() => {}
            Ok(count) => {
                connection.unsent.extend_from_slice(&bytes[count..]);
                self.epoll.modify(fd, fd as u64, WRITABLE)?;
            }
            Err(_) => self.close(fd),
        }
        Ok(())
    }

    fn flush(&mut self, fd: RawFd) -> Outcome<()> {
        let Some(connection) = &mut self.connections[fd as usize] else {
            return Ok(());
        };
        match socket::send(fd, &connection.unsent) {
            Ok(count) if count == connection.unsent.len() => {
                connection.unsent = Vec::new();
                self.epoll.modify(fd, fd as u64, READABLE)?;
            }
            Ok(count) => drop(connection.unsent.drain(..count)),
            Err(_) => self.close(fd),
        }
        Ok(())
    }

    fn close(&mut self, fd: RawFd) {
        self.connections[fd as usize] = None;
    }
}
