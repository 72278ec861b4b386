//! Against servers in a simulated network that loses what they say, or all of it.

use ropewalk::sim::Rule;
use ropewalk::testing::World;

use super::*;

/// Answers, unless it is deaf.
struct Server {
    answers: bool,
}

impl DatagramProtocol for Server {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
        if self.answers {
            transport.write_to(data, peer).unwrap();
        }
    }
}

fn say(world: &mut World, server: Option<bool>) -> Result<String, Failure> {
    let reactor = world.reactor("server");
    let port = server.map(|answers| {
        reactor
            .listen_datagram("udp:1234", Server { answers })
            .unwrap()
    });
    let client = world.reactor("client").handle();
    let endpoint = "udp:10.0.0.1:1234".parse().unwrap();
    let said = client.spawn(ask(client.clone(), endpoint, "hello".to_owned()));
    let said = world.wait_for(said);
    if let Some(port) = port {
        world.wait_for(port.stop_listening())?;
    }
    said
}

#[ropewalk::test]
fn the_answer_is_given(world: &mut World) {
    assert_eq!(say(world, Some(true)).unwrap(), "hello");
}

#[ropewalk::test]
fn the_first_answer_counts(world: &mut World) {
    world.install(Rule::everywhere().duplicate_datagrams(1.0));
    assert_eq!(say(world, Some(true)).unwrap(), "hello");
}

#[ropewalk::test]
fn no_answer_is_a_time_out_after_two_seconds(world: &mut World) {
    let failure = say(world, Some(false)).unwrap_err().to_string();
    assert_eq!(
        failure,
        "time-out: no answer from udp:10.0.0.1:1234 within 2s"
    );
    assert!(world.now() >= PATIENCE && world.now() < PATIENCE * 2);
}

#[ropewalk::test]
fn that_nobody_listens_is_told_at_once(world: &mut World) {
    let failure = say(world, None).unwrap_err().to_string();
    assert!(
        failure.contains("udp:10.0.0.1:1234: connection refused"),
        "{failure}"
    );
    assert!(world.now() < PATIENCE);
}

#[ropewalk::test]
fn a_name_is_looked_up_and_each_of_its_addresses_asked(world: &mut World) {
    let server = world.reactor("server");
    let port = server
        .listen_datagram("udp:1234", Server { answers: true })
        .unwrap();
    let client = world.reactor("client").handle();
    let addresses: [std::net::IpAddr; 2] = ["10.0.0.2", "10.0.0.1"].map(|ip| ip.parse().unwrap());
    world.name("time.example", addresses);
    for (name, expected) in [
        ("time.example", "hello"),
        ("none.example", "the host name was not found"),
    ] {
        let endpoint = format!("udp:{name}:1234").parse().unwrap();
        let said = client.spawn(ask(client.clone(), endpoint, "hello".to_owned()));
        let said = world
            .wait_for(said)
            .unwrap_or_else(|failure| failure.to_string());
        assert!(said.contains(expected), "{said}");
    }
    world.wait_for(port.stop_listening()).unwrap();
}
