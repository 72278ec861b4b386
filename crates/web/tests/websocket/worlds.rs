//! Worlds with seeds: whatever the network does short of cutting, every message comes back once and in order.

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_core::Limits;
use ropewalk_sim::Faults;
use ropewalk_testing::{TestCase, World, run_test};
use ropewalk_web::websocket::{
    CloseCode, Conversation, Deflate, Ending, Message, WebSocket, WebSocketClient,
    WebSocketOptions, WebSocketProtocol, WebSocketServer,
};

/// Sends messages of all sizes, and checks that each comes back.
struct Asker {
    awaited: Vec<Message>,
    ended: Rc<RefCell<Option<(u16, usize)>>>,
}

fn messages() -> Vec<Message> {
    let sizes = [0, 1, 125, 126, 4000, 70_000];
    let texts = sizes.map(|size| Message::Text("ü".repeat(size / 2)));
    let bytes =
        sizes.map(|size| Message::from((0..size).map(|at| (at % 251) as u8).collect::<Vec<_>>()));
    texts.into_iter().chain(bytes).collect()
}

impl Asker {
    fn heard(&mut self, socket: &WebSocket, message: &Message) {
        let expected = self.awaited.remove(0);
        assert!(
            *message == expected,
            "{} bytes came for {}",
            message.len(),
            expected.len()
        );
        if self.awaited.is_empty() {
            socket.close(CloseCode::NORMAL, "");
        }
    }
}

impl WebSocketProtocol for Asker {
    fn opened(&mut self, socket: &WebSocket) {
        self.awaited
            .iter()
            .for_each(|message| socket.send(message.clone()));
    }
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.heard(socket, &text.into());
    }
    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        self.heard(socket, &data.to_vec().into());
    }
    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        *self.ended.borrow_mut() = Some((ending.code(), self.awaited.len()));
    }
}

fn echo_in(world: &mut World, deflate: Option<Deflate>) {
    world.set_faults(Faults::gentle());
    let options = WebSocketOptions {
        deflate,
        ..WebSocketOptions::default()
    };
    let echo = WebSocketServer::new(|_| {
        Conversation::new(|mut socket| async move {
            while let Some(message) = socket.recv().await {
                socket.send(message);
                socket.ready().await;
            }
        })
    });
    let echo = echo.with_options(options.clone());
    // At 500 B/s a server that reads nothing until half of what waits is sent takes longer for it than a client waits.
    let limits = Limits::of_client();
    let port = world
        .reactor("server")
        .listen_with("tcp:10.0.0.1:80", limits, echo)
        .unwrap();
    let ended = Rc::default();
    let asker = Asker {
        awaited: messages(),
        ended: Rc::clone(&ended),
    };
    let client = WebSocketClient::new("ws://10.0.0.1/")
        .unwrap()
        .with_options(options);
    let opened = client.connect(world.reactor("client"), asker);
    world.wait_for(opened).unwrap();
    world.wait_until(|| ended.borrow().is_some());
    assert_eq!(*ended.borrow(), Some((1000, 0)));
    port.stop_listening();
}

#[test]
fn every_message_comes_back_once_and_in_order() {
    run_test(TestCase::new("plain").seeds(40), |world: &mut World| {
        echo_in(world, None);
    });
}

#[test]
fn every_compressed_message_comes_back_once_and_in_order() {
    run_test(TestCase::new("deflate").seeds(20), |world: &mut World| {
        let takes_over = world.seed().0.is_multiple_of(2);
        echo_in(
            world,
            Some(Deflate::new().with_context_takeover(takes_over)),
        );
    });
}
