//! Hundreds of clients that mean no good beside one that does, in a simulated network.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{Factory, Failure, Protocol, Transport};
use ropewalk_testing::World;
use ropewalk_web::{Agent, Request, Router, Site};

const EACH: usize = 100;

/// What an attacker does.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// Says nothing.
    Idle,
    /// Sends a head, a byte each five seconds.
    SlowHead,
    /// Sends a body, a byte each five seconds.
    SlowBody,
    /// Asks for much and reads nothing.
    SlowRead,
}

struct Attacker(Attack);

/// A site, and how many connections it has.
struct Counted(Site, Rc<Cell<usize>>);

impl Factory for Counted {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.1.set(self.1.get() + 1);
        self.0.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.0)
    }

    fn ended(&mut self, transport: &Transport) {
        self.1.set(self.1.get() - 1);
        self.0.ended(transport);
    }
}

fn drip(_: &mut Attacker, transport: &Transport) {
    transport.write("x");
    transport.call_later(Duration::from_secs(5), drip);
}

impl Protocol for Attacker {
    fn connection_made(&mut self, transport: &Transport) {
        let drips = match self.0 {
            Attack::Idle => return,
            Attack::SlowHead => "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
            Attack::SlowBody => "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
            Attack::SlowRead => {
                transport.pause_reading();
                transport.write("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4));
                return;
            }
        };
        transport.write(drips);
        transport.call_later(Duration::from_secs(5), drip);
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn site() -> Site {
    let collect = |request: Request| async move { Ok::<_, Failure>(request.bytes().await?) };
    Site::new(
        Router::new()
            .get("/", |_: &Request| "tea")
            .post("/", collect)
            .get("/large", |_: &Request| vec![b'x'; 1_000_000]),
    )
}

#[test]
fn r143_slow_clients_are_let_go_and_an_honest_one_never_waits() {
    for attack in [
        Attack::Idle,
        Attack::SlowHead,
        Attack::SlowBody,
        Attack::SlowRead,
    ] {
        let mut world = World::new(attack as u64);
        let open = Rc::new(Cell::new(0));
        let counted = Counted(site(), Rc::clone(&open));
        let server = world.reactor("server");
        server.listen("tcp:10.0.0.1:80", counted).unwrap();
        for _ in 0..EACH {
            let attackers = world.reactor("attackers").handle();
            drop(attackers.connect_protocol("tcp:10.0.0.1:80", Attacker(attack)));
        }
        let handle = world.reactor("honest").handle();
        let (agent, clock) = (Agent::new(&handle), handle.clone());
        let honest = handle.spawn(async move {
            for _ in 0..150 {
                let began = clock.now();
                let page = agent.get("http://10.0.0.1/").await?.text().await?;
                let took = clock.now() - began;
                assert!(
                    page == "tea" && took < Duration::from_secs(1),
                    "{page} {took:?}"
                );
                sleep(&clock, Duration::from_secs(1)).await?;
            }
            Ok::<_, Failure>(())
        });
        world.run_for(Duration::from_secs(5));
        assert_eq!(open.get(), EACH + 1, "all attack");
        world.wait_for(honest).unwrap();
        assert_eq!(open.get(), 1, "{attack:?}: only the honest one is left");
    }
}
