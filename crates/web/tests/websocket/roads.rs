//! WebSockets over TLS and UNIX sockets, both ways; and how they end when a program stops.

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_core::{Failure, Grace, Reactor};
use ropewalk_sim::SimDriver;
use ropewalk_testing::{TestCase, World, run_test};
use ropewalk_web::Agent;
use ropewalk_web::websocket::{
    Conversation, Deflate, Message, WebSocketClient, WebSocketOptions, WebSocketServer,
};

use super::journal::{Echo, Journal};

fn options() -> WebSocketOptions {
    WebSocketOptions {
        deflate: Some(Deflate::new()),
        ..WebSocketOptions::default()
    }
}

/// Sends messages of all sizes and gets each back, by awaiting.
async fn talk(agent: Agent, client: WebSocketClient) -> Result<(), Failure> {
    let sent: Vec<Message> = [0, 1, 200, 70_000]
        .into_iter()
        .flat_map(|size| {
            [
                Message::Text("ü".repeat(size)),
                Message::from(vec![7; size]),
            ]
        })
        .collect();
    let (expected, heard) = (sent.clone(), Rc::new(RefCell::new(Vec::new())));
    let kept = Rc::clone(&heard);
    let conversation = Conversation::new(|mut socket| async move {
        let count = sent.len();
        for message in sent {
            socket.send(message);
        }
        while let Some(message) = socket.recv().await {
            kept.borrow_mut().push(message);
            if kept.borrow().len() == count {
                break;
            }
        }
    });
    let socket = client
        .with_options(options())
        .connect(&agent, conversation)
        .await?;
    socket.closed().await;
    assert!(*heard.borrow() == expected, "other messages came back");
    Ok(())
}

fn echo(journal: &Journal) -> WebSocketServer<Echo> {
    let journal = journal.clone();
    WebSocketServer::new(move |_| Echo(journal.clone())).with_options(options())
}

#[test]
fn over_unix_sockets() {
    let journal = Journal::default();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.listen("unix:/run/room", echo(&journal)).unwrap();
    reactor
        .run_main(async |handle| {
            let agent = Agent::new(&handle).with_endpoint("unix:/run/room").unwrap();
            talk(agent, WebSocketClient::new("ws://room.example/")?).await
        })
        .unwrap();
    assert_eq!(journal.lines().last().unwrap(), "lost 1000 true");
}

#[cfg(feature = "tls")]
#[test]
fn over_tls() {
    use ropewalk_core::Handle;
    use ropewalk_tls::{Certificates, ClientOptions, Roots, ServerOptions, TlsFactory, TlsServer};

    let made = rcgen::generate_simple_self_signed(["room.example".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let certificates = Certificates::from_pem(&cert, &key).unwrap();
    let tls = TlsServer::new(ServerOptions::new(certificates)).unwrap();
    let driver = SimDriver::alone(1);
    let here = ["10.0.0.1".parse().unwrap()];
    driver.world().name("room.example", here);
    let mut reactor = Reactor::new(driver);
    let journal = Journal::default();
    let secured = TlsFactory::server(&tls, echo(&journal));
    reactor.listen("tcp:10.0.0.1:443", secured).unwrap();
    let visit = move |handle: Handle| async move {
        let trusting = ClientOptions::new(Roots::from_pem(&cert)?);
        let agent = Agent::new(&handle).with_tls(trusting)?;
        talk(agent, WebSocketClient::new("wss://room.example/")?).await?;
        let stranger = ClientOptions::new(Roots::from_pem(rcgen_other())?);
        let agent = Agent::new(&handle).with_tls(stranger)?;
        let client = WebSocketClient::new("wss://room.example/")?;
        let failure = client
            .connect(&agent, Echo(Journal::default()))
            .await
            .unwrap_err();
        assert!(failure.to_string().contains("handshake"), "{failure}");
        Ok::<_, Failure>(())
    };
    reactor.run_main(visit).unwrap();
    assert_eq!(journal.lines().last().unwrap(), "lost 1000 true");
}

#[cfg(feature = "tls")]
fn rcgen_other() -> String {
    let made = rcgen::generate_simple_self_signed(["room.example".to_owned()]).unwrap();
    made.cert.pem()
}

/// Who stops says so. What we began ourselves a stop does not wait for, so who stops as a client may not hear the answer.
#[test]
fn a_graceful_stop_closes_with_1001_on_both_sides() {
    for stopping in ["server", "client"] {
        run_test(TestCase::new("1001"), |world: &mut World| {
            let (theirs, ours) = (Journal::default(), Journal::default());
            let server = world.reactor("server");
            let port = server.listen("tcp:10.0.0.1:80", echo(&theirs)).unwrap();
            let client = WebSocketClient::new("ws://10.0.0.1/").unwrap();
            let opened = client.connect(world.reactor("client"), Echo(ours.clone()));
            world.wait_for(opened).unwrap();
            let reactor = world.reactor(stopping).handle();
            reactor.stop_gracefully(Grace::default()).unwrap();
            world.wait_until(|| theirs.lines().len() == 3);
            world.wait_until(|| stopping == "client" || ours.lines().len() == 3);
            let ended = ["opened", "close Some(1001)", "lost 1001 true"];
            assert_eq!(theirs.take(), ended);
            match stopping {
                "server" => assert_eq!(ours.take(), ended),
                _ => drop(port.stop_listening()),
            }
        });
    }
}
