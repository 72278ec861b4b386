//! Connections one after another, many at a time: connect, end our half, wait for the server's end.
//!
//! The server sees for each: an accept, the end of the stream, a close. Source addresses rotate over
//! 127.0.0.1 … 127.0.0.16, so that the ports that wait after a close do not run out.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::slice::Generator;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

const SOURCES: u64 = 16;
/// Connections under way at any time.
const AT_ONCE: usize = 64;

/// Connects over and over; an operation is one connection, seen to its end.
pub(crate) struct Churn {
    epoll: Epoll,
    port: u16,
    slots: Vec<Option<OwnedFd>>,
    begun: u64,
}

impl Churn {
    pub(crate) fn new(target: &Target) -> Outcome<Self> {
        let slots = (0..AT_ONCE).map(|_| None).collect();
        Ok(Self {
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
        self.slots[index] = Some(fd);
        Ok(())
    }

    /// Takes one connection a step further; whether it came to its end.
    fn step(&mut self, index: usize, readiness: u32) -> Outcome<bool> {
        let Some(fd) = self.slots[index].as_ref().map(AsRawFd::as_raw_fd) else {
            return Ok(false);
        };
        if readiness & WRITABLE != 0 {
            socket::shutdown_write(fd)?;
            self.epoll.modify(fd, index as u64, READABLE)?;
            return Ok(false);
        }
        match socket::recv(fd, &mut [0; 64])? {
            None => Ok(false),
            Some(0) => {
                self.slots[index] = None;
                Ok(true)
            }
            Some(_) => Err("bytes that nobody sent".into()),
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
