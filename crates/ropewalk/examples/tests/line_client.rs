//! Against servers in a simulated network that cuts and delays what they say.

use ropewalk::sim::Faults;
use ropewalk::testing::World;
use ropewalk::{Protocol, Transport};

use super::*;

/// Answers the first bytes with a text of its own, and closes.
struct Server(&'static str);

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, _data: &[u8]) {
        transport.write(self.0);
        transport.lose_connection();
    }
}

fn answer(world: &mut World, text: &'static str) -> Result<String, Failure> {
    world.set_faults(Faults::gentle());
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:1234", move || Server(text))?;
    let client = world.reactor("client").handle();
    let line = client.spawn(ask(client.clone(), "tcp:10.0.0.1:1234".parse().unwrap()));
    let line = world.wait_for(line);
    world.wait_for(port.stop_listening())?;
    line
}

#[ropewalk::test(seeds = 20)]
fn the_first_line_is_the_answer(world: &mut World) {
    assert_eq!(
        answer(world, "an answer\r\nanother\r\n").unwrap(),
        "an answer"
    );
}

#[ropewalk::test(seeds = 5)]
fn half_a_line_is_none(world: &mut World) {
    let failure = answer(world, "half a li").unwrap_err().to_string();
    assert!(
        failure.contains("no line from tcp:10.0.0.1:1234"),
        "{failure}"
    );
}
