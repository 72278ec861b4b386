//! Against a site in a simulated network.

use ropewalk::sim::Faults;
use ropewalk::testing::World;
use ropewalk::web::{Request, Router, Site};

use super::*;

fn get_from(world: &mut World, url: &str) -> Result<String, Failure> {
    world.set_faults(Faults::gentle());
    let site = Site::new(Router::new().get("/hello", |_: &Request| "Hello, Twisted.web!"));
    let port = world.reactor("server").listen("tcp:10.0.0.1:80", site)?;
    let client = world.reactor("client").handle();
    let text = world.wait_for(client.spawn(get(client.clone(), url.to_owned())));
    world.wait_for(port.stop_listening())?;
    text
}

#[ropewalk::test(seeds = 10)]
fn the_status_and_the_body_are_printed_after_a_second(world: &mut World) {
    let text = get_from(world, "http://10.0.0.1/hello").unwrap();
    assert_eq!(text, "Status Code: 200\nHello, Twisted.web!");
    assert!(world.now() >= DELAY);
}

#[ropewalk::test]
fn another_status_is_no_failure(world: &mut World) {
    let text = get_from(world, "http://10.0.0.1/other").unwrap();
    assert!(text.starts_with("Status Code: 404\n"), "{text}");
}

#[ropewalk::test]
fn nobody_there_and_no_url_are_told_in_a_line(world: &mut World) {
    for (url, told) in [
        ("http://10.0.0.1:81/", "10.0.0.1:81: connection refused"),
        ("10.0.0.1:81", "\"10.0.0.1:81\" is no URL"),
    ] {
        let client = world.reactor("client").handle();
        world.reactor("server");
        let failure = world.wait_for(client.spawn(get(client.clone(), url.to_owned())));
        let failure = failure.unwrap_err().to_string();
        assert!(failure.starts_with("Request failed: "), "{failure}");
        assert!(
            failure.contains(told) && !failure.contains('\n'),
            "{failure}"
        );
    }
}
