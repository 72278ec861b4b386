//! The floor: a level-triggered epoll loop with one recv and one send per event.
//!
//! It answers each message at once. It is honest about partial writes: what the kernel did not take
//! waits in a buffer of the connection, and until that is gone the connection is not read.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection};

use super::{Mode, announce, http};
use crate::Outcome;
use crate::load::wire::Over;
use crate::socket::{self, Epoll, READABLE, WRITABLE};
use crate::tls;

/// One buffer for all connections, as large as the engine's own.
pub(crate) const RECEIVE_BYTES: usize = 64 * 1024;

struct Connection {
    fd: OwnedFd,
    tls: Option<Box<ServerConnection>>,
    /// What the kernel has not yet taken; empty nearly always.
    unsent: Vec<u8>,
    /// A request that is not whole; empty nearly always.
    unread: Vec<u8>,
}

struct Bare {
    mode: Mode,
    epoll: Epoll,
    listener: OwnedFd,
    tls: Option<Arc<ServerConfig>>,
    /// What TLS has decrypted or is answered, and what it wants to send; for all connections.
    plain: Vec<u8>,
    encrypted: Vec<u8>,
    /// By descriptor.
    connections: Vec<Option<Connection>>,
}

/// Serves until killed.
pub(crate) fn serve(mode: Mode) -> Outcome<()> {
    let (listener, port): (OwnedFd, u16) = if mode.over() == Over::Unix {
        (socket::unix_listener()?.into(), 0)
    } else {
        let (listener, port) = socket::listener()?;
        (listener.into(), port)
    };
    let tls = (mode.over() == Over::Tls).then(tls::server_config);
    let epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), listener.as_raw_fd() as u64, READABLE)?;
    let mut bare = Bare {
        mode,
        epoll,
        listener,
        tls: tls.transpose()?,
        plain: Vec::new(),
        encrypted: Vec::new(),
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
        while let Some(fd) = socket::accept(self.listener.as_raw_fd())? {
            let raw = fd.as_raw_fd();
            if !matches!(self.mode, Mode::Accept | Mode::Unix) {
                socket::set_no_delay(raw)?;
            }
            self.epoll.add(raw, raw as u64, READABLE)?;
            let index = raw as usize;
            if index >= self.connections.len() {
                self.connections.resize_with(index + 1, || None);
            }
            let session = self.tls.clone().map(ServerConnection::new).transpose()?;
            self.connections[index] = Some(Connection {
                fd,
                tls: session.map(Box::new),
                unsent: Vec::new(),
                unread: Vec::new(),
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
            Ok(Some(count)) if self.tls.is_some() => self.answer(fd, &buffer[..count]),
            Ok(Some(count)) if self.mode.is_http() => self.answer_requests(fd, &buffer[..count]),
            Ok(Some(count)) => self.send(fd, &buffer[..count]),
        }
    }

    fn answer_requests(&mut self, fd: RawFd, bytes: &[u8]) -> Outcome<()> {
        let Some(connection) = &mut self.connections[fd as usize] else {
            return Ok(());
        };
        let mut answers = std::mem::take(&mut self.plain);
        answers.clear();
        match http::answer(&mut connection.unread, bytes, &mut answers) {
            Ok(()) => self.send(fd, &answers)?,
            Err(_) => self.close(fd),
        }
        self.plain = answers;
        Ok(())
    }

    fn answer(&mut self, fd: RawFd, bytes: &[u8]) -> Outcome<()> {
        let Some(Connection { tls: Some(tls), .. }) = &mut self.connections[fd as usize] else {
            return Ok(());
        };
        let answered = echo_over_tls(tls, bytes, &mut self.plain, &mut self.encrypted);
        let encrypted = std::mem::take(&mut self.encrypted);
        if !encrypted.is_empty() {
            self.send(fd, &encrypted)?;
        }
        self.encrypted = encrypted;
        if !answered.is_ok_and(|ended| !ended) {
            self.close(fd);
        }
        Ok(())
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

/// Puts what a session has to say to these bytes into `encrypted`; whether the peer has said goodbye.
fn echo_over_tls(
    tls: &mut ServerConnection,
    bytes: &[u8],
    plain: &mut Vec<u8>,
    encrypted: &mut Vec<u8>,
) -> io::Result<bool> {
    plain.clear();
    encrypted.clear();
    let ended = tls::feed(tls, bytes, |chunk| plain.extend_from_slice(chunk));
    if !plain.is_empty() {
        tls.set_buffer_limit(None);
        tls.writer().write_all(plain)?;
    }
    if ended.as_ref().is_ok_and(|ended| *ended) {
        tls.send_close_notify();
    }
    while tls.wants_write() {
        tls.write_tls(encrypted)?;
    }
    ended
}
