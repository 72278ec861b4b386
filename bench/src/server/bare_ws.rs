//! The floor for WebSocket: an epoll loop that unmasks frames where they lie, writes the head of the answer over the end of the
//! old one, and sends what came in one call; or sends it to all. It knows whole binary messages, and nothing else.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::announce;
use crate::Outcome;
use crate::load::ws::ACCEPT;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

/// One buffer for all connections; what is cut moves to its beginning and back.
const RECEIVE_BYTES: usize = 256 * 1024;

struct Connection {
    fd: OwnedFd,
    is_open: bool,
    /// The beginning of a frame that was cut.
    cut: Vec<u8>,
    /// What the kernel has not yet taken; empty nearly always.
    unsent: Vec<u8>,
}

/// Serves until killed; `to_all` sends each message to everybody, not only back.
pub(crate) fn serve(to_all: bool) -> Outcome<()> {
    let (listener, port) = socket::listener()?;
    let mut epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), listener.as_raw_fd() as u64, READABLE)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; RECEIVE_BYTES];
    announce(port)?;
    loop {
        for index in 0..epoll.wait(-1)? {
            let (token, readiness) = epoll.event(index);
            if token as RawFd == listener.as_raw_fd() {
                accept_all(&listener, &epoll, &mut connections)?;
                continue;
            }
            let slot = &mut connections[token as usize];
            let Some(connection) = slot else { continue };
            let goes_on = match readiness & WRITABLE {
                0 => connection.receive(&mut buffer, &epoll, to_all),
                _ => connection.flush(&epoll).map(|()| 0),
            };
            match goes_on {
                Err(_) => *slot = None,
                Ok(0) => {}
                Ok(length) => send_to_all(&mut connections, &buffer[..length], &epoll),
            }
        }
    }
}

fn accept_all(
    listener: &impl AsRawFd,
    epoll: &Epoll,
    connections: &mut Vec<Option<Connection>>,
) -> Outcome<()> {
    while let Some(fd) = socket::accept(listener.as_raw_fd())? {
        let raw = fd.as_raw_fd();
        socket::set_no_delay(raw)?;
        epoll.add(raw, raw as u64, READABLE)?;
        let index = raw as usize;
        if index >= connections.len() {
            connections.resize_with(index + 1, || None);
        }
        connections[index] = Some(Connection {
            fd,
            is_open: false,
            cut: Vec::new(),
            unsent: Vec::new(),
        });
    }
    Ok(())
}

fn send_to_all(connections: &mut [Option<Connection>], bytes: &[u8], epoll: &Epoll) {
    for slot in connections {
        let connection = slot.as_mut().filter(|connection| connection.is_open);
        if connection.is_some_and(|connection| connection.send(bytes, epoll).is_err()) {
            *slot = None;
        }
    }
}

impl Connection {
    /// Answers what came, or tells how many bytes of the buffer go to all.
    fn receive(&mut self, buffer: &mut [u8], epoll: &Epoll, to_all: bool) -> io::Result<usize> {
        let before = self.cut.len();
        buffer[..before].copy_from_slice(&self.cut);
        self.cut.clear();
        let Some(count) = socket::recv(self.fd.as_raw_fd(), &mut buffer[before..])? else {
            self.cut.extend_from_slice(&buffer[..before]);
            return Ok(0);
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let data = &mut buffer[..before + count];
        if !self.is_open {
            return self.shake_hands(data, epoll).map(|()| 0);
        }
        let (answer, used) = echo(data);
        self.cut.extend_from_slice(&data[used..]);
        if to_all {
            return Ok(answer);
        }
        self.send(&data[..answer], epoll).map(|()| 0)
    }

    fn shake_hands(&mut self, data: &[u8], epoll: &Epoll) -> io::Result<()> {
        if !data.ends_with(b"\r\n\r\n") {
            self.cut.extend_from_slice(data);
            return Ok(());
        }
        self.is_open = true;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        self.send(answer.as_bytes(), epoll)
    }

    fn send(&mut self, bytes: &[u8], epoll: &Epoll) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let raw = self.fd.as_raw_fd();
        let count = socket::send(raw, bytes)?;
        if count < bytes.len() {
            self.unsent.extend_from_slice(&bytes[count..]);
            epoll.modify(raw, raw as u64, WRITABLE)?;
        }
        Ok(())
    }

    fn flush(&mut self, epoll: &Epoll) -> io::Result<()> {
        let raw = self.fd.as_raw_fd();
        let count = socket::send(raw, &self.unsent)?;
        self.unsent.drain(..count);
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
            epoll.modify(raw, raw as u64, READABLE)?;
        }
        Ok(())
    }
}

/// Turns all whole frames into their answers, at the beginning of `data`; how long those are, and how much was used.
fn echo(data: &mut [u8]) -> (usize, usize) {
    let (mut out, mut at) = (0, 0);
    while let Some((length, head)) = head(&data[at..])
        && data.len() - at >= head + length
    {
        let key: [u8; 4] = data[at + head - 4..at + head]
            .try_into()
            .expect("four bytes");
        let (answer_head, payload) = (head - 4, at + head);
        data.copy_within(at..at + answer_head, out);
        data[out + 1] &= 0x7f;
        if out + answer_head != payload {
            data.copy_within(payload..payload + length, out + answer_head);
        }
        unmask(
            &mut data[out + answer_head..out + answer_head + length],
            key,
        );
        out += answer_head + length;
        at = payload + length;
    }
    (out, at)
}

/// The length of the payload, and of the head with its key.
fn head(data: &[u8]) -> Option<(usize, usize)> {
    match data.get(1)? & 0x7f {
        126 => Some((
            usize::from(u16::from_be_bytes(*data.get(2..)?.first_chunk()?)),
            8,
        )),
        127 => Some((
            u64::from_be_bytes(*data.get(2..)?.first_chunk()?) as usize,
            14,
        )),
        short => (data.len() >= 6).then_some((usize::from(short), 6)),
    }
    .filter(|(_, head)| data.len() >= *head)
}

fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let word = u64::from(u32::from_ne_bytes(key));
    let word = word << 32 | word;
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}
