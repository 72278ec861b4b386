//! Against servers in a simulated network that cuts and delays.

use ropewalk::failure::TimedOut;
use ropewalk::sim::Faults;
use ropewalk::testing::World;

use super::*;

/// Echoes, or says nothing at all.
struct Server {
    echoes: bool,
}

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if self.echoes {
            transport.write(data);
        }
    }
}

fn ask(world: &mut World, echoes: bool) -> Result<String, Failure> {
    world.set_faults(Faults::gentle());
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:8000", move || Server { echoes })?;
    let client = world.reactor("client").handle();
    let said = client.spawn(echo_once(
        client.clone(),
        "tcp:10.0.0.1:8000".parse().unwrap(),
    ));
    let said = world.wait_for(said);
    world.wait_for(port.stop_listening())?;
    said
}

#[ropewalk::test(seeds = 20)]
fn the_echo_comes_back(world: &mut World) {
    assert_eq!(ask(world, true).unwrap(), TEXT);
}

#[ropewalk::test]
fn a_silent_server_is_an_error_and_the_connection_is_closed(world: &mut World) {
    assert!(ask(world, false).unwrap_err().is::<TimedOut>());
}

#[ropewalk::test]
async fn nobody_there_is_an_error_within_a_second(reactor: Handle) {
    let failure = echo_once(reactor.clone(), "tcp:127.0.0.1:8000".parse().unwrap())
        .await
        .unwrap_err();
    assert!(
        failure.to_string().contains("tcp:127.0.0.1:8000"),
        "{failure}"
    );
    assert!(reactor.now() < Duration::from_secs(1));
}
