//! Memory: what an idle WebSocket costs the server, and what a large message leaves behind.

use std::time::Instant;

use super::idle::settled_bytes;
use super::ws::{Client, Deflate, Message, open};
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::cpu;
use crate::record::Record;
use crate::socket::{Epoll, READABLE, WRITABLE};

const MESSAGE_BYTES: usize = 64;
/// So many large messages are under way at once.
const AT_ONCE: usize = 10;
const RECEIVE_BYTES: usize = 1024 * 1024;

struct Clients {
    all: Vec<Client>,
    epoll: Epoll,
    buffer: Vec<u8>,
}

/// Connects everybody, sends one small message on each, then one of `burst` bytes on the first `bursting` ones.
pub(crate) fn run(
    target: &Target,
    bursting: usize,
    burst: usize,
    deflate: Deflate,
) -> Outcome<Record> {
    let (small, large) = (
        Message::new(0, MESSAGE_BYTES, deflate),
        Message::new(1, burst, deflate),
    );
    let mut record = Record::default();
    let count = target.connections as f64;
    // The first connection makes the server set up what it sets up once.
    let mut first = Clients::connect(target, 1, deflate, &small)?;
    first.exchange(0..1)?;
    let empty = settled_bytes(target.pid)?;

    let mut clients = Clients::connect(target, target.connections, deflate, &small)?;
    let connected = settled_bytes(target.pid)?;
    record.set("connected_bytes", (connected - empty) / count);
    clients.exchange(0..target.connections)?;
    let used = settled_bytes(target.pid)?;
    record.set("used_bytes", (used - empty) / count);

    let bursting = bursting.min(target.connections);
    for start in (0..bursting).step_by(AT_ONCE) {
        let group = start..(start + AT_ONCE).min(bursting);
        for client in &mut clients.all[group.clone()] {
            client.change(&large);
        }
        clients.exchange(group.clone())?;
        for client in &mut clients.all[group] {
            client.change(&small);
        }
    }
    let after = settled_bytes(target.pid)?;
    record.set("kept_bytes", after - used);
    record.set("kept_share", (after - used) / used);
    let peak = cpu::peak_resident_bytes(target.pid)? as f64;
    record.set("peak_bytes", peak - used);
    Ok(record)
}

impl Clients {
    fn connect(
        target: &Target,
        count: usize,
        deflate: Deflate,
        message: &Message,
    ) -> Outcome<Self> {
        let epoll = Epoll::new()?;
        let mut all = Vec::with_capacity(count);
        for index in 0..count {
            let client = Client::new(open(target.port, deflate)?, message, 1);
            epoll.add(client.fd(), index as u64, READABLE)?;
            all.push(client);
        }
        Ok(Self {
            all,
            epoll,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    /// Sends a message on each of these, and waits until all are back.
    fn exchange(&mut self, group: std::ops::Range<usize>) -> Outcome<()> {
        let mut missing = group.len();
        for index in group {
            self.all[index].owe_all();
            self.all[index].flush(&self.epoll, index as u64)?;
        }
        let mut heard = Instant::now();
        while missing > 0 {
            for event in 0..self.epoll.wait(100)? {
                let (token, readiness) = self.epoll.event(event);
                let client = &mut self.all[token as usize];
                if readiness & WRITABLE != 0 {
                    client.flush(&self.epoll, token)?;
                }
                if readiness & !WRITABLE != 0 {
                    missing -= client.receive(&mut self.buffer)?;
                }
                heard = Instant::now();
            }
            if heard.elapsed() > PATIENCE {
                return Err("a message never came back".into());
            }
        }
        Ok(())
    }
}
