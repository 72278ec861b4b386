//! WebSocket, closed loop: as soon as messages are back, as many leave again, masked. Every byte is compared.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::Target;
use super::echo::until_all_are_back;
use super::slice::Generator;
use super::swarm::Pattern;
use crate::Outcome;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// What a server answers to the key of [`REQUEST`].
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const RECEIVE_BYTES: usize = 256 * 1024;

/// One client: its message over and over, as it leaves and as it must come back.
struct Client {
    fd: OwnedFd,
    /// As many frames as are ever under way.
    out: Vec<u8>,
    back: Vec<u8>,
    /// Where in its frame the next byte lies that comes back.
    at: usize,
    /// What is due, from this place of `out` on.
    sent: usize,
    owed: usize,
    is_watched: bool,
}

/// Keeps a number of messages under way on each connection.
pub(crate) struct Messages {
    clients: Vec<Client>,
    epoll: Epoll,
    buffer: Vec<u8>,
    depth: usize,
}

impl Messages {
    pub(crate) fn new(target: &Target, depth: usize, size: usize) -> Outcome<Self> {
        let (epoll, pattern, depth) = (Epoll::new()?, Pattern::new(), depth.max(1));
        let mut clients = Vec::with_capacity(target.connections);
        for index in 0..target.connections {
            let fd = open(target.port)?;
            epoll.add(fd.as_raw_fd(), index as u64, READABLE)?;
            let payload = pattern.at(index * 7919, 0, size);
            clients.push(Client {
                fd,
                out: masked(payload).repeat(depth),
                back: [head(size, 0), payload.to_vec()].concat(),
                at: 0,
                sent: 0,
                owed: 0,
                is_watched: false,
            });
        }
        Ok(Self {
            clients,
            epoll,
            buffer: vec![0; RECEIVE_BYTES],
            depth,
        })
    }

    fn turn(&mut self, again: bool) -> Outcome<u64> {
        let mut done = 0;
        for event in 0..self.epoll.wait(100)? {
            let (token, readiness) = self.epoll.event(event);
            let client = &mut self.clients[token as usize];
            if readiness & !WRITABLE != 0 {
                let complete = client.receive(&mut self.buffer)?;
                done += complete as u64;
                if again {
                    client.owed += complete * (client.out.len() / self.depth);
                }
            }
            client.flush(&self.epoll, token)?;
        }
        Ok(done)
    }
}

impl Client {
    /// Receives once; how many messages are whole now.
    fn receive(&mut self, buffer: &mut [u8]) -> Outcome<usize> {
        let Some(count) = socket::recv(self.fd.as_raw_fd(), buffer)? else {
            return Ok(0);
        };
        if count == 0 {
            return Err("the server closed a connection".into());
        }
        let (mut rest, mut whole) = (&buffer[..count], 0);
        while !rest.is_empty() {
            let length = rest.len().min(self.back.len() - self.at);
            if rest[..length] != self.back[self.at..self.at + length] {
                return Err("other bytes than expected".into());
            }
            self.at += length;
            rest = &rest[length..];
            if self.at == self.back.len() {
                (self.at, whole) = (0, whole + 1);
            }
        }
        Ok(whole)
    }

    fn flush(&mut self, epoll: &Epoll, token: u64) -> Outcome<()> {
        while self.owed > 0 {
            let length = self.owed.min(self.out.len() - self.sent);
            let count = socket::send(
                self.fd.as_raw_fd(),
                &self.out[self.sent..self.sent + length],
            )?;
            self.sent = (self.sent + count) % self.out.len();
            self.owed -= count;
            if count < length {
                break;
            }
        }
        if self.is_watched != (self.owed > 0) {
            self.is_watched = self.owed > 0;
            let interest = if self.is_watched {
                READABLE | WRITABLE
            } else {
                READABLE
            };
            epoll.modify(self.fd.as_raw_fd(), token, interest)?;
        }
        Ok(())
    }
}

impl Generator for Messages {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        for (token, client) in self.clients.iter_mut().enumerate() {
            client.owed += client.out.len();
            client.flush(&self.epoll, token as u64)?;
        }
        let under_way = (self.clients.len() * self.depth) as u64;
        until_all_are_back(end, under_way, "no answer for 10 s", |again| {
            self.turn(again)
        })
    }
}

/// A connection whose handshake is over.
fn open(port: u16) -> Outcome<OwnedFd> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket::set_no_delay(stream.as_raw_fd())?;
    socket::set_reset_on_close(stream.as_raw_fd())?;
    stream.write_all(REQUEST.as_bytes())?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    if !String::from_utf8_lossy(&answer).contains(ACCEPT) {
        return Err(format!("no WebSocket: {}", answer.escape_ascii()).into());
    }
    stream.set_nonblocking(true)?;
    Ok(stream.into())
}

/// The head of a binary message.
fn head(size: usize, mask: u8) -> Vec<u8> {
    match size {
        0..126 => vec![0x82, mask | size as u8],
        126..0x1_0000 => [&[0x82, mask | 126][..], &(size as u16).to_be_bytes()].concat(),
        _ => [&[0x82, mask | 127][..], &(size as u64).to_be_bytes()].concat(),
    }
}

fn masked(payload: &[u8]) -> Vec<u8> {
    let payload = payload.iter().enumerate();
    let payload = payload.map(|(at, byte)| byte ^ KEY[at % 4]);
    head(payload.len(), 0x80)
        .into_iter()
        .chain(KEY)
        .chain(payload)
        .collect()
}
