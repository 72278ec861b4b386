//! Against servers in a simulated network that cuts and delays.

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk::sim::Faults;
use ropewalk::testing::World;
use ropewalk::web::websocket::WebSocketServer;

use super::*;

/// Echoes texts, as bytes if it says so.
struct Server {
    echoes: bool,
}

impl WebSocketProtocol for Server {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        match text {
            _ if !self.echoes => socket.close(CloseCode::POLICY, "no"),
            "bytes" => socket.send_binary([0; 7]),
            text => socket.send_text(text),
        }
    }
}

fn ask(world: &mut World, echoes: bool) -> Result<Vec<String>, Failure> {
    world.set_faults(Faults::gentle());
    let server = WebSocketServer::new(move |_| Server { echoes });
    let port = world.reactor("server").listen("tcp:10.0.0.1:80", server)?;
    let client = world.reactor("client").handle();
    let options = Options {
        url: "ws://10.0.0.1/".to_owned(),
        texts: vec!["欢迎".to_owned(), "bytes".to_owned()],
    };
    let printed = Rc::new(RefCell::new(Vec::new()));
    let lines = Rc::clone(&printed);
    let print = move |line: &str| {
        lines.borrow_mut().push(line.to_owned());
        Ok(())
    };
    let talked = client.spawn(talk(client.clone(), options, print));
    let talked = world.wait_for(talked);
    world.wait_for(port.stop_listening())?;
    talked.map(|()| printed.take())
}

#[ropewalk::test(seeds = 20)]
fn every_message_is_printed(world: &mut World) {
    assert_eq!(
        ask(world, true).unwrap(),
        ["open", "欢迎", "binary, 7 bytes"]
    );
}

#[ropewalk::test(seeds = 20)]
fn a_server_that_closes_is_an_error(world: &mut World) {
    let failure = ask(world, false).unwrap_err().to_string();
    assert!(failure.contains("1008 \"no\""), "{failure}");
}
