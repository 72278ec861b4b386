//! Guests in a simulated network that cuts and delays, and the page.

use std::cell::RefCell;

use ropewalk::sim::Faults;
use ropewalk::testing::{StringTransport, World};
use ropewalk::web::websocket::{CloseCode, WebSocketClient};

use super::*;

/// Writes down what comes.
#[derive(Clone, Default)]
struct Browser(Rc<RefCell<Vec<String>>>);

impl Browser {
    fn has_heard(&self, line: &str) -> bool {
        self.0.borrow().iter().any(|heard| heard == line)
    }
}

impl WebSocketProtocol for Browser {
    fn text_received(&mut self, _: &WebSocket, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        self.0
            .borrow_mut()
            .push(format!("closed {}", ending.code()));
    }
}

fn enter(world: &mut World, host: &str) -> (WebSocket, Browser) {
    let browser = Browser::default();
    let client = WebSocketClient::new("ws://10.0.0.1/ws").unwrap();
    let opened = client.connect(world.reactor(host), browser.clone());
    (world.wait_for(opened).unwrap(), browser)
}

#[ropewalk::test(seeds = 20)]
fn p06_what_one_says_all_others_hear_and_all_know_how_many_they_are(world: &mut World) {
    world.set_faults(Faults::gentle());
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", site())
        .unwrap();
    let (ann, heard_by_ann) = enter(world, "ann");
    world.wait_until(|| heard_by_ann.has_heard("* 1 here"));
    let (bob, heard_by_bob) = enter(world, "bob");
    world.wait_until(|| heard_by_bob.has_heard("* 2 here"));
    world.wait_until(|| heard_by_ann.has_heard("* 2 here"));
    bob.send_text("<b>欢迎</b>");
    world.wait_until(|| heard_by_ann.has_heard("guest 2: <b>欢迎</b>"));
    assert!(!heard_by_bob.has_heard("guest 2: <b>欢迎</b>"));
    ann.close(CloseCode::GOING_AWAY, "");
    world.wait_until(|| heard_by_bob.has_heard("* 1 here"));
    bob.send_text("x".repeat(MOST_BYTES + 1));
    world.wait_until(|| heard_by_bob.has_heard("closed 1009"));
    world.wait_for(port.stop_listening()).unwrap();
}

#[test]
fn p06_the_page_is_at_the_root() {
    let mut browser = StringTransport::builder().factory(site());
    browser.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /ws HTTP/1.1\r\nHost: a\r\n\r\n");
    browser.settle();
    let sent = String::from_utf8(browser.take_sent()).unwrap();
    assert!(sent.starts_with("HTTP/1.1 200 OK\r\n"), "{sent}");
    assert!(sent.contains("Content-Type: text/html; charset=utf-8\r\n"));
    assert!(sent.contains("new WebSocket("));
    assert!(sent.contains("HTTP/1.1 400 "), "{sent}");
}
