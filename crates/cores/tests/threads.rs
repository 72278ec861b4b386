//! Cores on threads of their own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use ropewalk_core::service::Grace;
use ropewalk_core::{Failure, Phase, Protocol, Transport};
use ropewalk_cores::{Core, Cores, Sharing};

#[test]
fn a_message_goes_round_and_one_stop_stops_all_in_order() {
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    Cores::new(4)
        .run(move |reactor, core: &Core<usize>| {
            let counted = Arc::clone(&counted);
            reactor.add_trigger(Phase::DuringShutdown, move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            core.on_message(|core, from, hops| {
                assert_eq!((from + 1) % core.count(), core.index());
                if hops == 10_000 {
                    core.reactor().stop().unwrap();
                } else {
                    core.send((core.index() + 1) % core.count(), hops + 1)
                        .unwrap();
                }
            });
            if core.index() == 3 {
                core.send(0, 1)?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 4);
}

#[test]
fn when_one_cannot_be_set_up_none_runs() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let failure = Cores::new(3)
        .run(move |reactor, core: &Core<()>| {
            let counted = Arc::clone(&counted);
            reactor.call_when_running(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            if core.index() == 2 {
                return Err(Failure::message("no room on core 2"));
            }
            Ok(())
        })
        .unwrap_err();
    assert_eq!(failure.to_string(), "no room on core 2");
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_setup_that_panics_names_its_core() {
    let failure = Cores::new(2)
        .run(|_, core: &Core<()>| {
            assert!(core.index() == 0, "this core does not want to");
            Ok(())
        })
        .unwrap_err();
    assert!(failure.to_string().contains("core 1"), "{failure}");
}

#[test]
fn zero_cores_are_as_many_as_there_are() {
    assert!(Cores::new(0).count() >= 1);
}

/// Answers what it was asked before the stop, one turn after it was told of the stop.
struct Answers;

impl Protocol for Answers {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("+");
    }
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        let stop = transport.reactor().stop_gracefully(Grace::default());
        stop.unwrap();
    }
    fn shutting_down(&mut self, transport: &Transport) {
        transport.call_later(Duration::from_millis(20), |_: &mut Self, transport| {
            transport.write("answer");
            transport.lose_connection();
        });
    }
}

#[test]
fn a_stop_drains_what_is_in_flight_on_all_cores() {
    let (tell, told) = channel();
    let server = thread::spawn(move || {
        Cores::new(3).run(move |reactor, core: &Core<()>| {
            let port = core.listen(reactor, "tcp:127.0.0.1:0", Sharing::LeastLoaded, || Answers)?;
            if let Some(port) = port {
                tell.send(port.host().socket().unwrap())?;
            }
            Ok(())
        })
    });
    let address = told.recv().unwrap();
    let connect = |_| {
        let mut client = TcpStream::connect(address).unwrap();
        client.read_exact(&mut [0]).unwrap();
        client
    };
    let mut clients: Vec<_> = (0..6).map(connect).collect();
    clients[4].write_all(b"?").unwrap();
    for client in &mut clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }
    server.join().unwrap().unwrap();
}
