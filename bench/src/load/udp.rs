//! Datagrams in a closed loop: as soon as answers are back, as many leave again.
//!
//! Each client is a connected UDP socket with a stream of its own, cut into datagrams. Loopback keeps their order, and loses one
//! only if a buffer is full; so a lost, doubled, shortened or altered one is found by comparing every byte.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::Target;
use super::echo::until_all_are_back;
use super::slice::Generator;
use super::swarm::Pattern;
use crate::Outcome;
use crate::socket::{Epoll, READABLE};

/// The server's receive buffer, at the kernel's default, drops some of 200 small ones.
const MOST_UNDER_WAY: usize = 160;

struct Client {
    socket: UdpSocket,
    phase: usize,
    sent: u64,
    received: u64,
}

/// Keeps a number of datagrams under way for each client.
pub(crate) struct Datagrams {
    epoll: Epoll,
    clients: Vec<Client>,
    pattern: Pattern,
    buffer: Vec<u8>,
    size: usize,
    depth: usize,
    /// Who may send again, and how many.
    due: Vec<(usize, usize)>,
}

impl Datagrams {
    pub(crate) fn new(target: &Target, depth: usize, size: usize) -> Outcome<Self> {
        let (size, depth) = (size.max(1), depth.max(1));
        let under_way = depth * target.connections;
        if under_way > MOST_UNDER_WAY {
            return Err(format!(
                "{under_way} datagrams under way: the kernel would drop some, at most {MOST_UNDER_WAY} are possible"
            )
            .into());
        }
        let epoll = Epoll::new()?;
        let mut clients = Vec::new();
        for index in 0..target.connections {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            socket.connect((Ipv4Addr::LOCALHOST, target.port))?;
            socket.set_nonblocking(true)?;
            epoll.add(socket.as_raw_fd(), index as u64, READABLE)?;
            clients.push(Client {
                socket,
                phase: index * 7919,
                sent: 0,
                received: 0,
            });
        }
        Ok(Self {
            epoll,
            clients,
            pattern: Pattern::new(),
            buffer: vec![0; size + 1],
            size,
            depth,
            due: Vec::new(),
        })
    }

    fn send(&mut self, index: usize, count: usize) -> Outcome<()> {
        let client = &mut self.clients[index];
        for _ in 0..count {
            let data = self.pattern.at(client.phase, client.sent, self.size);
            client.socket.send(data)?;
            client.sent += self.size as u64;
        }
        Ok(())
    }

    /// Receives what has come for that client; how many datagrams.
    fn receive(&mut self, index: usize) -> Outcome<usize> {
        let client = &mut self.clients[index];
        let mut count = 0;
        while client.received < client.sent {
            let length = match client.socket.recv(&mut self.buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            let expected = self.pattern.at(client.phase, client.received, self.size);
            if self.buffer[..length] != *expected {
                let at = client.received;
                return Err(format!("client {index}: another datagram than sent at {at}").into());
            }
            client.received += length as u64;
            count += 1;
        }
        Ok(count)
    }

    /// Receives from all that have something, then with `again` sends as many; how many came.
    fn turn(&mut self, again: bool) -> Outcome<u64> {
        let mut done = 0;
        for event in 0..self.epoll.wait(100)? {
            let index = self.epoll.event(event).0 as usize;
            let count = self.receive(index)?;
            done += count as u64;
            self.due.push((index, count));
        }
        let mut due = std::mem::take(&mut self.due);
        if again {
            due.iter()
                .try_for_each(|(index, count)| self.send(*index, *count))?;
        }
        due.clear();
        self.due = due;
        Ok(done)
    }
}

impl Generator for Datagrams {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        let depth = self.depth;
        (0..self.clients.len()).try_for_each(|index| self.send(index, depth))?;
        let under_way = (self.clients.len() * depth) as u64;
        let silence = "no answer for 10 s: a datagram was lost";
        until_all_are_back(end, under_way, silence, |again| self.turn(again))
    }
}
