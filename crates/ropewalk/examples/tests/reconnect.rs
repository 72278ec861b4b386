//! Against a server in a simulated network that comes and goes.

use std::cell::Cell;
use std::rc::Rc;

use ropewalk::testing::World;
use ropewalk::{ConnectorState, Reactor};

use super::*;

/// Counts who is connected.
struct Server(Rc<Cell<usize>>);

impl Protocol for Server {
    fn connection_made(&mut self, _transport: &Transport) {
        self.0.update(|open| open + 1);
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}

    fn connection_lost(&mut self, _transport: &Transport, _reason: &Reason) {
        self.0.update(|open| open - 1);
    }
}

const ENDPOINT: &str = "tcp:10.0.0.1:8000";

fn listen(server: &mut Reactor, open: &Rc<Cell<usize>>) {
    let open = open.clone();
    let port = server.listen(ENDPOINT, move || Server(open.clone()));
    assert!(port.is_ok(), "{port:?}");
}

#[ropewalk::test(seeds = 10)]
fn the_client_is_back_when_the_server_is(world: &mut World) {
    let open = Rc::new(Cell::new(0));
    // The machine is there, but nobody listens on that port.
    let server = world.reactor("server");
    server.listen("tcp:10.0.0.1:1", || Client).unwrap();
    let factory = client();
    let trying = factory.trying();
    let connector = world.reactor("client").connect(ENDPOINT, factory).unwrap();
    world.run_for(Duration::from_secs(60));
    assert_eq!(connector.state(), ConnectorState::Disconnected, "it waits");

    listen(world.reactor("server"), &open);
    for _ in 0..3 {
        world.wait_until(|| open.get() == 1);
        world.crash("server");
        world.run_for(Duration::from_secs(60));
        listen(world.restart("server"), &open);
    }
    world.wait_until(|| open.get() == 1);
    trying.stop();
    connector.disconnect();
    world.crash("server");
}

#[test]
fn delays_grow_differ_by_chance_and_have_an_end() {
    let delays: Vec<_> = (0..9)
        .map(|failures| back_off().delay(failures, 0.5))
        .collect();
    assert!(delays.is_sorted() && delays[1] > delays[0]);
    assert_eq!(delays[8], Duration::from_secs(5));
    assert_ne!(back_off().delay(0, 0.1), back_off().delay(0, 0.9));
}
