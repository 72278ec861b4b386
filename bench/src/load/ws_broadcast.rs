//! One WebSocket sends, all receive: the next message leaves when all have the last one. Every byte is compared.

use std::time::{Duration, Instant};

use super::slice::Generator;
use super::ws::{Client, Deflate, Message, open};
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::socket::{Epoll, READABLE};

const RECEIVE_BYTES: usize = 64 * 1024;

/// An operation is one message delivered to one client.
pub(crate) struct Topic {
    clients: Vec<Client>,
    epoll: Epoll,
    buffer: Vec<u8>,
}

impl Topic {
    pub(crate) fn new(target: &Target, size: usize) -> Outcome<Self> {
        let (epoll, message) = (Epoll::new()?, Message::new(0, size, Deflate::None));
        let mut clients = Vec::with_capacity(target.connections);
        for index in 0..target.connections {
            let client = Client::new(open(target.port, Deflate::None)?, &message, 1);
            epoll.add(client.fd(), index as u64, READABLE)?;
            clients.push(client);
        }
        Ok(Self {
            clients,
            epoll,
            buffer: vec![0; RECEIVE_BYTES],
        })
    }

    fn send_one(&mut self) -> Outcome<()> {
        let mut missing = self.clients.len();
        self.clients[0].owe_all();
        self.clients[0].flush(&self.epoll, 0)?;
        let began = Instant::now();
        while missing > 0 {
            for event in 0..self.epoll.wait(100)? {
                let (token, _) = self.epoll.event(event);
                let whole = self.clients[token as usize].receive(&mut self.buffer)?;
                missing = missing
                    .checked_sub(whole)
                    .ok_or("more messages than were sent")?;
            }
            if began.elapsed() > PATIENCE {
                return Err("a message did not reach everybody in 10 s".into());
            }
        }
        Ok(())
    }
}

impl Generator for Topic {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        let mut delivered = 0;
        while Instant::now() < end {
            self.send_one()?;
            delivered += self.clients.len() as u64;
        }
        Ok(delivered)
    }
}
