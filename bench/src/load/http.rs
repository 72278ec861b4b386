//! The closed loop over HTTP: `depth` requests are always under way on each connection, and every answer is compared with
//! the first.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::Target;
use super::echo::until_all_are_back;
use super::slice::Generator;
use super::wire::{Dialer, Wire};
use crate::Outcome;
use crate::socket::{Epoll, READABLE, WRITABLE};

const RECEIVE_BYTES: usize = 256 * 1024;

/// What a browser sends with every request.
const BROWSER: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: http://127.0.0.1/shelf\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n";

struct Client {
    wire: Wire,
    /// What has come of an answer that is not whole.
    unread: Vec<u8>,
    /// Bytes of requests that the kernel has not taken, of the endless repetition of one.
    owed: usize,
    at: usize,
    is_blocked: bool,
}

/// Requests on many connections.
pub(crate) struct Requests {
    epoll: Epoll,
    clients: Vec<Client>,
    depth: usize,
    request: Vec<u8>,
    /// As many requests as are ever sent at once, one behind the other.
    many: Vec<u8>,
    body: Option<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Requests {
    pub(crate) fn new(target: &Target, depth: usize, path: &str, browser: bool) -> Outcome<Self> {
        let more = if browser { BROWSER } else { "" };
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}\r\n").into_bytes();
        let dialer = Dialer::new(target)?;
        let epoll = Epoll::new()?;
        let mut clients = Vec::new();
        for index in 0..target.connections {
            let (wire, _) = dialer.dial()?;
            epoll.add(wire.fd(), index as u64, READABLE)?;
            clients.push(Client {
                wire,
                unread: Vec::new(),
                owed: 0,
                at: 0,
                is_blocked: false,
            });
        }
        Ok(Self {
            epoll,
            clients,
            depth: depth.max(1),
            many: request.repeat(depth.max(1) + 1),
            request,
            body: None,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// Owes that client so many more requests, and sends what can be sent.
    fn push(&mut self, index: usize, requests: usize) -> Outcome<()> {
        self.clients[index].owed += requests * self.request.len();
        self.flush(index)
    }

    fn flush(&mut self, index: usize) -> Outcome<()> {
        let client = &mut self.clients[index];
        while client.owed > 0 {
            let start = client.at % self.request.len();
            let count = client.wire.send(&self.many[start..start + client.owed])?;
            client.at += count;
            client.owed -= count;
            if count == 0 {
                break;
            }
        }
        let is_blocked = client.owed > 0;
        if is_blocked != client.is_blocked {
            client.is_blocked = is_blocked;
            let interest = if is_blocked {
                READABLE | WRITABLE
            } else {
                READABLE
            };
            self.epoll
                .modify(client.wire.fd() as RawFd, index as u64, interest)?;
        }
        Ok(())
    }

    /// Receives once; how many answers came, each compared.
    fn receive(&mut self, index: usize) -> Outcome<usize> {
        let client = &mut self.clients[index];
        let unread = &mut client.unread;
        let goes_on = client
            .wire
            .receive(&mut self.buffer, |bytes| unread.extend_from_slice(bytes))?;
        let (mut used, mut answers) = (0, 0);
        while let Some((head, length)) = answer(&unread[used..])? {
            let body = &unread[used + head..used + head + length];
            let expected = self.body.get_or_insert_with(|| body.to_vec());
            if body != expected {
                return Err(format!("connection {index}: another body than before").into());
            }
            used += head + length;
            answers += 1;
        }
        unread.drain(..used);
        match goes_on {
            true => Ok(answers),
            false => Err(format!("the server closed connection {index}").into()),
        }
    }

    fn turn(&mut self, again: bool) -> Outcome<u64> {
        let mut answers = 0;
        for event in 0..self.epoll.wait(100)? {
            let (token, readiness) = self.epoll.event(event);
            let index = token as usize;
            if readiness & WRITABLE != 0 {
                self.flush(index)?;
            }
            if readiness & !WRITABLE != 0 {
                let came = self.receive(index)?;
                answers += came as u64;
                if again && came > 0 {
                    self.push(index, came)?;
                }
            }
        }
        Ok(answers)
    }
}

/// Where the head of an answer ends and how long its body is, if all of it is there.
fn answer(bytes: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else {
        return Ok(None);
    };
    if response.code != Some(200) {
        return Err(format!("status {:?}", response.code).into());
    }
    let lengths = response.headers.iter();
    let length = lengths
        .filter(|header| header.name.eq_ignore_ascii_case("content-length"))
        .find_map(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or("no Content-Length")?;
    Ok((bytes.len() >= head + length).then_some((head, length)))
}

impl Generator for Requests {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        for index in 0..self.clients.len() {
            self.push(index, self.depth)?;
        }
        let under_way = (self.clients.len() * self.depth) as u64;
        until_all_are_back(end, under_way, "no answer for 10 s", |again| {
            self.turn(again)
        })
    }
}
