//! Memory of TLS: what an open connection holds, and how often a message goes to the allocator.
//!
//! Counted in this process by its global allocator, not timed. Connections are real ones over the loopback, with both ends on
//! one reactor; what belongs to which side is told by layers that are fed by hand. What the cryptography allocates in C is not
//! the global allocator's: `malloc` has it, and its own overhead.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::tls::{
    Certificates, ClientOptions, Roots, ServerOptions, TlsClient, TlsFactory, TlsLayer, TlsServer,
};
use ropewalk::{Factory, Layer, Protocol, Reactor, SharedFactory, Transport};

use crate::Outcome;
use crate::alloc::{Heap, count_here, heap, malloc_bytes};
use crate::table::{Table, cell, grouped};

/// Pairs of connections; both ends are in this process, so that it has twice as many descriptors.
const PAIRS: usize = 2000;
/// How often a message is exchanged to count what one takes.
const MESSAGES: usize = 500;
const NAME: &str = "localhost";

/// Counts, and prints the tables.
pub(crate) fn run() -> Outcome<()> {
    count_here();
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = TlsServer::new(ServerOptions::new(Certificates::from_pem(&cert, &key)?))?;
    let client = TlsClient::new(ClientOptions::new(Roots::from_pem(&cert)?))?;
    print!("{}", layers(&server, &client)?);
    print!("{}", connections(&server, &client)?);
    Ok(())
}

/// The layers alone.
fn layers(server: &TlsServer, client: &TlsClient) -> Outcome<Table> {
    drop(pair(server, client)?); // sets up what is set up once
    let before = heap();
    let pairs: Result<Vec<_>, _> = (0..PAIRS).map(|_| pair(server, client)).collect();
    let all = heap();
    let (servers, clients): (Vec<_>, Vec<_>) = pairs?.into_iter().unzip();
    let with_both = heap();
    drop(clients);
    let with_servers = heap();
    drop(servers);
    let without = heap();
    let each = |from: Heap, to: Heap| grouped(Some((from.bytes - to.bytes) as f64 / PAIRS as f64));
    let handshake = (all.allocations - before.allocations) as f64 / PAIRS as f64;
    let columns = [
        "layers alone",
        "B of a server's",
        "B of a client's",
        "allocations of a handshake, both sides",
    ];
    let mut table = Table::new(
        format!("tls-memory: {PAIRS} pairs of layers, open"),
        &columns,
    );
    table.row(vec![
        "ropewalk".to_owned(),
        each(with_servers, without),
        each(with_both, with_servers),
        cell(Some(handshake), 1),
    ]);
    Ok(table)
}

/// Two layers that have shaken hands.
fn pair(server: &TlsServer, client: &TlsClient) -> Outcome<(Box<TlsLayer>, Box<TlsLayer>)> {
    let mut server = Box::new(TlsLayer::server(server));
    let mut client = Box::new(TlsLayer::client(client, NAME)?);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    client
        .start(&mut up)
        .map_err(|error| format!("{error:?}"))?;
    server
        .start(&mut down)
        .map_err(|error| format!("{error:?}"))?;
    while !(up.is_empty() && down.is_empty()) {
        let said = receive(&mut server, &mut up, &mut down);
        said.and_then(|()| receive(&mut client, &mut down, &mut up))?;
    }
    Ok((server, client))
}

/// Gives a layer all that was said to it.
fn receive(layer: &mut TlsLayer, said: &mut Vec<u8>, answer: &mut Vec<u8>) -> Outcome<()> {
    let outcome = layer.receive(said, &mut |_| {}, answer);
    said.clear();
    outcome.map_err(|error| format!("{error:?}").into())
}

/// Whole connections on a reactor, with TLS and without.
fn connections(server: &TlsServer, client: &TlsClient) -> Outcome<Table> {
    let columns = [
        "both ends on one reactor",
        "B of the heap per idle pair",
        "B of malloc per idle pair",
        "allocations per 64 B there and back",
        "allocations per 16 KiB there and back",
    ];
    let title = format!("tls-memory: {PAIRS} pairs over the loopback, used once, then idle");
    let mut table = Table::new(title, &columns);
    let mut rows: Vec<(&str, Load)> = vec![("TCP", Load::new()?), ("TLS", Load::new()?)];
    for (name, load) in &mut rows {
        let (listen, state) = (load.echo(), load.state.clone());
        let connect = move || Asker(state.clone());
        if *name == "TCP" {
            load.meet(listen, connect)?;
        } else {
            let connect = TlsFactory::client(client, NAME, connect)?;
            load.meet(TlsFactory::server(server, listen), connect)?;
        }
        table.row(vec![
            (*name).to_owned(),
            grouped(Some(load.heap_per_pair)),
            grouped(Some(load.malloc_per_pair)),
            cell(Some(load.allocations_per_message(64)?), 2),
            cell(Some(load.allocations_per_message(16 * 1024)?), 2),
        ]);
    }
    Ok(table)
}

/// A reactor with both ends of every connection.
struct Load {
    reactor: Reactor,
    state: Rc<State>,
    heap_per_pair: f64,
    malloc_per_pair: f64,
}

/// What the askers share.
#[derive(Default)]
struct State {
    /// Bytes that came back.
    answered: Cell<usize>,
    /// The last connection.
    last: Cell<Option<Transport>>,
}

/// Asks once when it is connected, and counts what comes back.
struct Asker(Rc<State>);

impl Protocol for Asker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write([7; 64]);
        self.0.last.set(Some(transport.clone()));
    }
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.answered.set(self.0.answered.get() + data.len());
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

impl Load {
    fn new() -> Outcome<Self> {
        Ok(Self {
            reactor: ropewalk::reactor()?,
            state: Rc::default(),
            heap_per_pair: 0.0,
            malloc_per_pair: 0.0,
        })
    }

    fn echo(&self) -> impl Factory + 'static {
        || Echo
    }

    /// Connects one, and then all; each sends a message.
    fn meet(&mut self, listen: impl Factory, connect: impl Factory) -> Outcome<()> {
        let port = self.reactor.listen("tcp:127.0.0.1:0", listen)?;
        let address = port.host().clone();
        let connect = SharedFactory::new(connect);
        let one = |load: &mut Self| -> Outcome<()> {
            let wanted = load.state.answered.get() + 64;
            load.reactor.connect(&address, connect.clone())?;
            load.turn_until(wanted)
        };
        for _ in 0..10 {
            one(self)?;
        }
        let (heap_before, malloc_before) = (heap().bytes, malloc_bytes());
        for _ in 0..PAIRS {
            one(self)?;
        }
        let each = |bytes: i64| bytes as f64 / PAIRS as f64;
        self.heap_per_pair = each(heap().bytes - heap_before);
        self.malloc_per_pair = each(malloc_bytes() as i64 - malloc_before as i64);
        Ok(())
    }

    fn allocations_per_message(&mut self, bytes: usize) -> Outcome<f64> {
        let asker = self.state.last.take().ok_or("nobody is connected")?;
        let message = vec![7; bytes];
        let mut before = 0;
        for index in 0..2 * MESSAGES {
            if index == MESSAGES {
                before = heap().allocations;
            }
            let wanted = self.state.answered.get() + bytes;
            asker.write(&message);
            self.turn_until(wanted)?;
        }
        self.state.last.set(Some(asker));
        Ok((heap().allocations - before) as f64 / MESSAGES as f64)
    }

    fn turn_until(&mut self, answered: usize) -> Outcome<()> {
        while self.state.answered.get() < answered {
            self.reactor.turn(Some(Duration::from_secs(1)))?;
        }
        Ok(())
    }
}
