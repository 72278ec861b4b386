//! Files over simulated networks, some of them bad: r160.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{ListeningPort, Protocol, Transport};
use ropewalk_testing::{TestCase, World, run_test};
use ropewalk_web::{Bytes, MemoryFiles, Site, StaticFiles};

fn content() -> Bytes {
    (0..700_000_u32).map(|at| (at / 5) as u8).collect()
}

/// Asks, and keeps what comes.
#[derive(Clone, Default)]
struct Getter {
    came: Rc<RefCell<Vec<u8>>>,
    is_slow: bool,
}

impl Protocol for Getter {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.came.borrow_mut().extend_from_slice(data);
        if self.is_slow {
            transport.pause_reading();
            transport.call_later(Duration::from_millis(20), |_: &mut Self, transport| {
                transport.resume_reading();
            });
        }
    }
}

fn serve(world: &mut World) -> ListeningPort {
    let files = MemoryFiles::new().with_file("large", content());
    let site = Site::new(StaticFiles::new(files));
    let port = world.reactor("server").listen("tcp:10.0.0.1:80", site);
    port.unwrap()
}

#[test]
fn r160_slow_readers_get_it_whole_in_every_world() {
    run_test(TestCase::new("slow readers"), |world: &mut World| {
        let port = serve(world);
        let getters = [false, true].map(|is_slow| Getter {
            is_slow,
            ..Getter::default()
        });
        let connected = getters.clone().map(|getter| {
            let client = world.reactor("client");
            client.connect_protocol("tcp:10.0.0.1:80", getter)
        });
        for connected in connected {
            let transport = world.wait_for(connected).unwrap();
            world.wait_until(|| !transport.is_open());
        }
        for getter in &getters {
            assert!(getter.came.borrow().ends_with(&content()));
        }
        port.stop_listening();
    });
}

#[test]
fn r160_a_client_that_leaves_harms_nobody() {
    run_test(TestCase::new("leavers"), |world: &mut World| {
        let port = serve(world);
        let leaver = Getter::default();
        let client = world.reactor("client");
        let connected = client.connect_protocol("tcp:10.0.0.1:80", leaver.clone());
        let transport = world.wait_for(connected).unwrap();
        world.wait_until(|| !leaver.came.borrow().is_empty());
        transport.abort_connection();
        let getter = Getter::default();
        let client = world.reactor("client");
        let connected = client.connect_protocol("tcp:10.0.0.1:80", getter.clone());
        let transport = world.wait_for(connected).unwrap();
        world.wait_until(|| !transport.is_open());
        assert!(getter.came.borrow().ends_with(&content()));
        assert!(leaver.came.borrow().len() < content().len());
        port.stop_listening();
    });
}
