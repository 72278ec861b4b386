//! Against slow servers in a simulated network.

use std::time::Duration;

use ropewalk::testing::World;

use super::*;

/// Says its text two seconds after it was asked.
struct Slow(&'static str);

impl Protocol for Slow {
    fn connection_made(&mut self, transport: &Transport) {
        transport.call_later(Duration::from_secs(2), |this: &mut Self, transport| {
            transport.write(this.0);
            transport.lose_connection();
        });
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

#[ropewalk::test(seeds = 10)]
fn three_servers_take_as_long_as_one(world: &mut World) {
    let poems = ["roses", "violets", "sugar"];
    let mut endpoints = Vec::new();
    for (number, poem) in poems.into_iter().enumerate() {
        let endpoint = format!("tcp:10.0.0.{}:10000", number + 1);
        world
            .reactor(poem)
            .listen(&endpoint, move || Slow(poem))
            .unwrap();
        endpoints.push(endpoint.parse().unwrap());
    }
    let client = world.reactor("client").handle();
    let began = world.now();
    let fetched = world.wait_for(fetch_all(&client, &endpoints)).unwrap();
    assert!(fetched.into_iter().map(Result::unwrap).eq(poems));
    assert!(world.now() - began < Duration::from_secs(3));
    poems.iter().for_each(|host| world.crash(host));
}

#[ropewalk::test]
async fn one_that_cannot_be_had_keeps_no_other_from_coming(reactor: Handle) {
    let port = reactor
        .listen("tcp:127.0.0.1:2", || Slow("a poem"))
        .await
        .unwrap();
    let endpoints = ["tcp:127.0.0.1:1", "tcp:127.0.0.1:2"].map(|text| text.parse().unwrap());
    let poems = fetch_all(&reactor, &endpoints).await.unwrap();
    let failure = poems[0].as_ref().unwrap_err().to_string();
    assert!(
        failure.starts_with("cannot connect to tcp:127.0.0.1:1"),
        "{failure}"
    );
    assert_eq!(poems[1].as_ref().unwrap(), "a poem");
    port.stop_listening().await.unwrap();
}
