//! Connections one after another, many at a time: connect, end our half, wait for the server's end.
//!
//! The server sees for each: an accept, the end of the stream, a close. Over TLS it sees a full handshake and a goodbye before
//! that end, and the certificate is checked.
//!
//! Source addresses rotate over
//! 127.0.0.1 … 127.0.0.16, so that the ports that wait after a close do not run out.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, HandshakeKind};

use super::slice::Generator;
use super::wire::Over;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::socket::{self, Epoll, READABLE, WRITABLE};
use crate::tls;

const SOURCES: u64 = 16;
/// Connections under way at any time.
const AT_ONCE: usize = 64;

/// One connection under way.
struct Visit {
    fd: OwnedFd,
    tls: Option<Box<ClientConnection>>,
}

/// Connects over and over; an operation is one connection, seen to its end.
pub(crate) struct Churn {
    epoll: Epoll,
    port: u16,
    slots: Vec<Option<Visit>>,
    tls: Option<Arc<ClientConfig>>,
    begun: u64,
}

impl Churn {
    pub(crate) fn new(target: &Target) -> Outcome<Self> {
        let slots = (0..AT_ONCE).map(|_| None).collect();
        let tls = (target.over == Over::Tls).then(tls::client_config);
        Ok(Self {
            tls: tls.transpose()?,
            epoll: Epoll::new()?,
            port: target.port,
            slots,
            begun: 0,
        })
    }

    fn begin(&mut self, index: usize) -> Outcome<()> {
        let source = Ipv4Addr::new(127, 0, 0, 1 + (self.begun % SOURCES) as u8);
        self.begun += 1;
        let fd = socket::connect_from(source, self.port)?;
        self.epoll.add(fd.as_raw_fd(), index as u64, WRITABLE)?;
        let tls = self.tls.as_ref().map(tls::client).transpose()?;
        self.slots[index] = Some(Visit { fd, tls });
        Ok(())
    }

    /// Takes one connection a step further; whether it came to its end.
    fn step(&mut self, index: usize, readiness: u32) -> Outcome<bool> {
        let Some(visit) = &mut self.slots[index] else {
            return Ok(false);
        };
        let fd = visit.fd.as_raw_fd();
        if readiness & WRITABLE != 0 {
            visit.begin()?;
            self.epoll.modify(fd, index as u64, READABLE)?;
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        match socket::recv(fd, &mut buffer)? {
            None => Ok(false),
            Some(0) => {
                let was_complete = visit.is_complete();
                self.slots[index] = None;
                was_complete
                    .then_some(true)
                    .ok_or_else(|| "a handshake was not completed".into())
            }
            Some(count) => visit.heard(&buffer[..count]).map(|()| false),
        }
    }
}

impl Visit {
    /// It is connected: ends our half, or says hello.
    fn begin(&mut self) -> Outcome<()> {
        match self.tls {
            None => Ok(socket::shutdown_write(self.fd.as_raw_fd())?),
            Some(_) => self.say(),
        }
    }

    fn is_complete(&self) -> bool {
        let kind = self.tls.as_ref().map(|tls| tls.handshake_kind());
        kind.is_none_or(|kind| kind == Some(HandshakeKind::Full))
    }

    fn heard(&mut self, bytes: &[u8]) -> Outcome<()> {
        let tls = self.tls.as_mut().ok_or("bytes that nobody sent")?;
        let mut unasked = 0;
        let was_handshaking = tls.is_handshaking();
        tls::feed(tls, bytes, |bytes| unasked += bytes.len())?;
        if unasked > 0 {
            return Err("bytes that nobody sent".into());
        }
        let done = was_handshaking && !tls.is_handshaking();
        if done {
            tls.send_close_notify();
        }
        self.say()?;
        if done {
            socket::shutdown_write(self.fd.as_raw_fd())?;
        }
        Ok(())
    }

    /// Sends what TLS has to say, which the kernel always has room for.
    fn say(&mut self) -> Outcome<()> {
        let Some(tls) = &mut self.tls else {
            return Ok(());
        };
        let mut words = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut words)?;
        }
        if words.is_empty() || socket::send(self.fd.as_raw_fd(), &words)? == words.len() {
            Ok(())
        } else {
            Err("no room for a handshake".into())
        }
    }
}

impl Generator for Churn {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        (0..AT_ONCE).try_for_each(|index| self.begin(index))?;
        let (mut under_way, mut done, mut heard) = (AT_ONCE, 0, Instant::now());
        while under_way > 0 {
            let count = self.epoll.wait(100)?;
            let now = Instant::now();
            for event in 0..count {
                let (token, readiness) = self.epoll.event(event);
                let index = token as usize;
                if !self.step(index, readiness)? {
                    continue;
                }
                done += 1;
                if now < end {
                    self.begin(index)?;
                } else {
                    under_way -= 1;
                }
            }
            if count > 0 {
                heard = now;
            } else if now - heard > PATIENCE {
                return Err("no connection came to its end for 10 s".into());
            }
        }
        Ok(done)
    }
}
