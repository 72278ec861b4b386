//! An echo server on the driver alone: no reactor, no protocols. It shows what the driver costs, and how to use the seam.
//!
//! `cargo run --release -p ropewalk-mio --example raw_echo -- 127.0.0.1:8000`

use std::error::Error;

use ropewalk_core::address::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{ConnId, Demand, Driver, Event, Handler, Listen, Sent};
use ropewalk_core::slots::Mirror;
use ropewalk_mio::MioDriver;

/// What each connection still has to send.
#[derive(Default)]
struct Echo {
    outgoing: Mirror<Outgoing>,
    pool: Pool,
}

impl Handler for Echo {
    fn event(&mut self, event: Event<'_>) -> Demand {
        match event {
            Event::Accepted { conn, .. } => {
                self.outgoing.insert(conn.0, Outgoing::default());
            }
            Event::Received { conn, data } => {
                if let Some(outgoing) = self.outgoing.get_mut(conn.0) {
                    outgoing.write(data, &mut self.pool);
                }
            }
            Event::Eof { conn } | Event::Failed { conn, .. } => {
                self.outgoing.remove(conn.0);
                return Demand::Close;
            }
            _ => {}
        }
        Demand::Continue
    }

    fn flush(
        &mut self,
        conn: ConnId,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> Demand {
        let Some(outgoing) = self.outgoing.get_mut(conn.0) else {
            return Demand::Continue;
        };
        if outgoing.is_empty() {
            return Demand::Continue;
        }
        match send(outgoing, &mut self.pool) {
            Sent::Failed(_) => Demand::Close,
            _ => Demand::Continue,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let mut driver = MioDriver::new()?;
    driver.listen(&Listen::new(Address::Tcp(address.parse()?)))?;
    let mut echo = Echo::default();
    loop {
        driver.poll(None, &mut echo)?;
    }
}
