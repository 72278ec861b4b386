//! What a program of one's own does with the library: its subcommand, on a reactor that is not the command's.

use ropewalk::protocols::wire::Echo;
use ropewalk::service::Service;
use ropewalk::sim::SimDriver;
use ropewalk::{Failure, Protocol, Reactor, Transport};
use ropewalk_cli::clap::{ArgMatches, Command};
use ropewalk_cli::{Plugin, Setup};

struct Mine;

impl Plugin for Mine {
    fn command(&self) -> Command {
        Command::new("mine")
    }

    fn start(&self, _: &ArgMatches, setup: &mut Setup) -> Result<(), Failure> {
        setup.listen(["tcp:7", "tcp:8"], || Echo)
    }
}

struct Caller;

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("hello");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert_eq!(data, b"hello");
        transport.reactor().stop().unwrap();
    }
}

#[test]
fn a_plugin_serves_on_a_simulated_network() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let mut setup = Setup::new(&reactor);
    Mine.start(&ArgMatches::default(), &mut setup).unwrap();
    let mut services = setup.services().clone();
    reactor.call_when_running(move |handle| {
        let own = handle.clone();
        let ready = services.start(handle).add_callback(move |()| {
            own.connect("tcp:10.0.0.1:8", || Caller)?;
            Ok(())
        });
        ready.on_result(|result| result.unwrap());
    });
    reactor.run().unwrap();
}

#[test]
fn a_plugin_says_what_is_wrong_before_anything_is_opened() {
    let reactor = Reactor::new(SimDriver::alone(1));
    let mut setup = Setup::new(&reactor);
    let error = setup.listen(["tcp:7", "tpc:8"], || Echo).unwrap_err();
    assert!(error.to_string().contains("\"tpc:8\""), "{error}");
    setup.add("mine", |_: &ropewalk::Handle| {}).unwrap();
    let error = setup.add("mine", |_: &ropewalk::Handle| {}).unwrap_err();
    assert!(error.to_string().contains("\"mine\""), "{error}");
}
