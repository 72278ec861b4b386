//! Against servers in a simulated network that cuts and delays what they say.

use ropewalk::sim::Faults;
use ropewalk::testing::World;

use super::*;

/// Answers the first bytes with a text of its own, and stays; or just leaves.
struct Server(Option<&'static str>);

impl Protocol for Server {
    fn data_received(&mut self, transport: &Transport, _data: &[u8]) {
        match self.0.take() {
            Some("") => transport.lose_connection(),
            Some(answer) => transport.write(answer),
            None => {}
        }
    }
}

fn ask(world: &mut World, answer: &'static str) -> Result<String, Failure> {
    world.set_faults(Faults::gentle());
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:8000", move || Server(Some(answer)))?;
    let client = world.reactor("client").handle();
    let said = client.spawn(say_hello(
        client.clone(),
        "tcp:10.0.0.1:8000".parse().unwrap(),
    ));
    let said = world.wait_for(said);
    world.wait_for(port.stop_listening())?;
    said
}

#[ropewalk::test(seeds = 20)]
fn the_answer_comes_whole(world: &mut World) {
    assert_eq!(ask(world, "Hello, client!").unwrap(), "Hello, client!");
}

#[ropewalk::test]
fn a_short_answer_is_an_answer(world: &mut World) {
    assert_eq!(ask(world, "hi").unwrap(), "hi");
}

#[ropewalk::test]
fn no_answer_is_an_error(world: &mut World) {
    let failure = ask(world, "").unwrap_err().to_string();
    assert!(failure.contains("did not answer"), "{failure}");
}
