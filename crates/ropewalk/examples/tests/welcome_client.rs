//! Against servers in a simulated network that cuts and delays what they say.

use ropewalk::sim::Faults;
use ropewalk::testing::World;

use super::*;

/// Says something and closes, or is cut off.
struct Server {
    text: Vec<u8>,
    abort: bool,
}

impl Protocol for Server {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&self.text);
        match self.abort {
            true => drop(transport.call_later(
                std::time::Duration::from_secs(5),
                |_: &mut Self, transport| {
                    transport.abort_connection();
                },
            )),
            false => transport.lose_connection(),
        }
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

fn read_from(world: &mut World, text: &[u8], abort: bool) -> Result<String, Failure> {
    world.set_faults(Faults::gentle());
    let text = text.to_vec();
    let server = world.reactor("server");
    let port = server.listen("tcp:10.0.0.1:12345", move || Server {
        text: text.clone(),
        abort,
    })?;
    let client = world.reactor("client").handle();
    let text =
        world.wait_for(client.spawn(read(client.clone(), "tcp:10.0.0.1:12345".parse().unwrap())));
    world.wait_for(port.stop_listening())?;
    text
}

#[ropewalk::test(seeds = 20)]
fn the_text_comes_whole(world: &mut World) {
    let text = "欢迎访问!".repeat(1000);
    assert_eq!(read_from(world, text.as_bytes(), false).unwrap(), text);
}

#[ropewalk::test(seeds = 5)]
fn half_a_text_is_an_error(world: &mut World) {
    let failure = read_from(world, b"half", true).unwrap_err().to_string();
    assert!(
        failure.contains("10.0.0.1") && failure.contains("lost"),
        "{failure}"
    );
}

#[ropewalk::test]
fn a_text_without_end_is_an_error(world: &mut World) {
    let failure = read_from(world, &vec![b'x'; LIMIT_BYTES + 1], false)
        .unwrap_err()
        .to_string();
    assert!(failure.contains("1 MiB"), "{failure}");
}

#[ropewalk::test]
fn nobody_there_is_an_error_that_names_the_address(world: &mut World) {
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:1", || Server {
            text: vec![],
            abort: false,
        })
        .unwrap()
        .stop_listening();
    let client = world.reactor("client").handle();
    let read = client.spawn(read(client.clone(), "tcp:10.0.0.1:12345".parse().unwrap()));
    let failure = world.wait_for(read).unwrap_err().to_string();
    assert!(
        failure.contains("tcp:10.0.0.1:12345") && failure.contains("refused"),
        "{failure}"
    );
}
