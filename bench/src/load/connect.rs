//! Connections one after another, many at a time: connect, end our half, wait for the server's end.
//!
//! The server sees for each: an accept, the end of the stream, a close. Source addresses rotate over
//! 127.0.0.1 … 127.0.0.16, so that the ports that wait after a close do not run out.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::{PATIENCE, Target};
use crate::Outcome;
use crate::cpu::Snapshot;
use crate::record::Record;
use crate::socket::{self, Epoll, READABLE, WRITABLE};

const SOURCES: u64 = 16;
/// Connections under way at any time.
const AT_ONCE: usize = 64;

/// Connects over and over until the window is over; an operation is one connection, seen to its end.
pub(crate) fn run(target: &Target) -> Outcome<Record> {
    let mut churn = Churn {
        epoll: Epoll::new()?,
        port: target.port,
        slots: Vec::new(),
        begun: 0,
        done: 0,
    };
    for index in 0..AT_ONCE {
        let fd = churn.begin(index)?;
        churn.slots.push(fd);
    }
    churn.run_for(target.warm_up())?;
    let start = Snapshot::take(&target.subject())?;
    let before = churn.done;
    churn.run_for(target.window())?;
    let end = Snapshot::take(&target.subject())?;
    Ok(start.until(&end, churn.done - before))
}

struct Churn {
    epoll: Epoll,
    port: u16,
    slots: Vec<OwnedFd>,
    begun: u64,
    done: u64,
}

impl Churn {
    fn run_for(&mut self, length: Duration) -> Outcome<()> {
        let end = Instant::now() + length;
        let mut heard = Instant::now();
        while Instant::now() < end {
            let count = self.epoll.wait(100)?;
            for event in 0..count {
                let (token, readiness) = self.epoll.event(event);
                self.step(token as usize, readiness)?;
            }
            if count > 0 {
                heard = Instant::now();
            } else if heard.elapsed() > PATIENCE {
                return Err("no connection came to its end for 10 s".into());
            }
        }
        Ok(())
    }

    fn begin(&mut self, index: usize) -> Outcome<OwnedFd> {
        let source = Ipv4Addr::new(127, 0, 0, 1 + (self.begun % SOURCES) as u8);
        self.begun += 1;
        let fd = socket::connect_from(source, self.port)?;
        self.epoll.add(fd.as_raw_fd(), index as u64, WRITABLE)?;
        Ok(fd)
    }

    fn step(&mut self, index: usize, readiness: u32) -> Outcome<()> {
        let fd = self.slots[index].as_raw_fd();
        if readiness & WRITABLE != 0 {
            socket::shutdown_write(fd)?;
            self.epoll.modify(fd, index as u64, READABLE)?;
            return Ok(());
        }
        match socket::recv(fd, &mut [0; 64])? {
            None => Ok(()),
            Some(0) => {
                self.done += 1;
                // The slot's old descriptor closes when the new one takes its place.
                self.slots[index] = self.begin(index)?;
                Ok(())
            }
            Some(_) => Err("bytes that nobody sent".into()),
        }
    }
}
