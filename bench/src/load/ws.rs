//! WebSocket, closed loop: as soon as messages are back, as many leave again, masked. Every byte is compared.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use flate2::{Compress, Compression, FlushCompress};

use super::Target;
use super::echo::until_all_are_back;
use super::slice::Generator;
use super::swarm::Pattern;
use super::ws_answers::Answers;
use crate::Outcome;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

/// What a server answers to the key that all clients ask with.
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const RECEIVE_BYTES: usize = 256 * 1024;

/// What is offered to the server, and must be agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deflate {
    /// Binary messages as they are.
    #[default]
    None,
    /// JSON, each message compressed by itself.
    Alone,
    /// JSON, messages that may refer to those before them.
    Takeover,
}

/// A message, as it leaves and as it must come back.
pub(crate) struct Message {
    frame: Vec<u8>,
    payload: Vec<u8>,
    deflate: Deflate,
}

/// One client: its message over and over, as it leaves and as it must come back.
pub(crate) struct Client {
    fd: OwnedFd,
    /// As many frames as are ever under way.
    out: Vec<u8>,
    answers: Answers,
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
    pub(crate) fn new(
        target: &Target,
        depth: usize,
        size: usize,
        deflate: Deflate,
    ) -> Outcome<Self> {
        let (epoll, depth) = (Epoll::new()?, depth.max(1));
        let mut clients = Vec::with_capacity(target.connections);
        for index in 0..target.connections {
            let message = Message::new(index, size, deflate);
            let client = Client::new(open(target.port, deflate)?, &message, depth);
            epoll.add(client.fd(), index as u64, READABLE)?;
            clients.push(client);
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

impl Message {
    /// One that differs from that of other clients.
    pub(crate) fn new(client: usize, size: usize, deflate: Deflate) -> Self {
        let (first, payload) = match deflate {
            Deflate::None => (0x82, noise(client, size)),
            _ => (0xc1, json(client, size)),
        };
        let frame = match deflate {
            Deflate::None => masked(first, &payload),
            _ => masked(first, &compressed(&payload)),
        };
        Self {
            frame,
            payload,
            deflate,
        }
    }

    fn answers(&self) -> Answers {
        match self.deflate {
            Deflate::None => Answers::same(&self.payload),
            Deflate::Alone => Answers::deflated(&self.payload, false),
            Deflate::Takeover => Answers::deflated(&self.payload, true),
        }
    }
}

impl Client {
    /// One that has up to `depth` messages under way.
    pub(crate) fn new(fd: OwnedFd, message: &Message, depth: usize) -> Self {
        Self {
            fd,
            out: message.frame.repeat(depth),
            answers: message.answers(),
            sent: 0,
            owed: 0,
            is_watched: false,
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// From now on this message goes and comes; nothing is under way.
    pub(crate) fn change(&mut self, message: &Message) {
        (self.out, self.answers, self.sent) = (message.frame.clone(), message.answers(), 0);
    }

    /// All frames are due.
    pub(crate) fn owe_all(&mut self) {
        self.owed += self.out.len();
    }

    /// Receives once; how many messages are whole now.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Outcome<usize> {
        let Some(count) = socket::recv(self.fd.as_raw_fd(), buffer)? else {
            return Ok(0);
        };
        if count == 0 {
            return Err("the server closed a connection".into());
        }
        self.answers.receive(&buffer[..count])
    }

    pub(crate) fn flush(&mut self, epoll: &Epoll, token: u64) -> Outcome<()> {
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
            client.owe_all();
            client.flush(&self.epoll, token as u64)?;
        }
        let under_way = (self.clients.len() * self.depth) as u64;
        until_all_are_back(end, under_way, "no answer for 10 s", |again| {
            self.turn(again)
        })
    }
}

/// A connection whose handshake is over.
pub(crate) fn open(port: u16, deflate: Deflate) -> Outcome<OwnedFd> {
    let offer = match deflate {
        Deflate::None => "",
        Deflate::Alone => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
        }
        Deflate::Takeover => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    };
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket::set_no_delay(stream.as_raw_fd())?;
    socket::set_reset_on_close(stream.as_raw_fd())?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&answer);
    if !text.contains(ACCEPT) {
        return Err(format!("no WebSocket: {}", answer.escape_ascii()).into());
    }
    let agreed = |word| text.contains(word);
    let is_as_offered = match deflate {
        Deflate::None => !agreed("permessage-deflate"),
        Deflate::Alone => agreed("server_no_context_takeover"),
        Deflate::Takeover => agreed("permessage-deflate") && !agreed("server_no_context_takeover"),
    };
    if !is_as_offered {
        return Err(format!("another agreement: {}", answer.escape_ascii()).into());
    }
    stream.set_nonblocking(true)?;
    Ok(stream.into())
}

/// The head of a frame that begins with the byte `first`.
pub(crate) fn head(first: u8, size: usize, mask: u8) -> Vec<u8> {
    match size {
        0..126 => vec![first, mask | size as u8],
        126..0x1_0000 => [&[first, mask | 126][..], &(size as u16).to_be_bytes()].concat(),
        _ => [&[first, mask | 127][..], &(size as u64).to_be_bytes()].concat(),
    }
}

/// A frame as clients send it.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let head = head(first, payload.len(), 0x80);
    let payload = payload.iter().enumerate();
    let payload = payload.map(|(at, byte)| byte ^ KEY[at % 4]);
    head.into_iter().chain(KEY).chain(payload).collect()
}

/// Bytes that cannot be guessed, as long as may be.
fn noise(client: usize, size: usize) -> Vec<u8> {
    let pattern = Pattern::new();
    let pieces = (0..size).step_by(Pattern::LONGEST).flat_map(|at| {
        let length = Pattern::LONGEST.min(size - at);
        pattern.at(client * 7919, at as u64, length).to_vec()
    });
    pieces.collect()
}

/// JSON of so many bytes, as programs send it: records that are alike, with other numbers for each client.
fn json(client: usize, size: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(size + 128);
    text.push(b'[');
    let mut number = client as u64 * 7919 + 1;
    while text.len() < size {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (id, price) = (number >> 44, number >> 50);
        let record = format!(
            r#"{{"id":{id},"name":"item {}","price":{price}.25,"tags":["new","sale"]}},"#,
            id % 97
        );
        text.extend_from_slice(record.as_bytes());
    }
    text.truncate(size.saturating_sub(1));
    text.push(b']');
    text
}

/// A message by itself, as RFC 7692 has it.
fn compressed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let done =
        Compress::new(Compression::fast(), false).compress_vec(text, &mut out, FlushCompress::Sync);
    done.expect("a new compressor takes any bytes");
    out.truncate(out.len() - 4);
    out
}
