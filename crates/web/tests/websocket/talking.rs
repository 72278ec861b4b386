//! Messages that are awaited, on both sides.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{Failure, Handle, Reactor};
use ropewalk_sim::SimDriver;
use ropewalk_testing::{StringTransport, TestCase, World, run_test};
use ropewalk_web::websocket::{
    CloseCode, Conversation, Kind, Message, SendError, Talk, Topic, WebSocketClient,
    WebSocketServer,
};

use super::journal::{Echo, Journal, REQUEST, frame};

/// The next message, if it comes in time.
async fn recv_within(talk: &mut Talk, patience: Duration) -> Option<Option<Message>> {
    let reactor = talk.reactor().clone();
    let mut late = pin!(sleep(&reactor, patience));
    let mut message = pin!(talk.recv());
    poll_fn(|context| match message.as_mut().poll(context) {
        Poll::Ready(message) => Poll::Ready(Some(message)),
        Poll::Pending => late.as_mut().poll(context).map(|_| None),
    })
    .await
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    run_test(TestCase::new("patience").seeds(50), |world: &mut World| {
        let server = WebSocketServer::new(|_| {
            Conversation::new(|socket| async move {
                for number in 0..100 {
                    socket.send_text(format!("{number}"));
                    let micros = u64::from_be_bytes(socket.reactor().random_bytes()) % 2000;
                    let _ = sleep(socket.reactor(), Duration::from_micros(micros)).await;
                }
            })
        });
        let port = world
            .reactor("server")
            .listen("tcp:10.0.0.1:80", server)
            .unwrap();
        let client = world.reactor("client").handle();
        let done = client.clone().spawn(async move {
            let mut socket = WebSocketClient::new("ws://10.0.0.1/")?
                .talk(&client)
                .await?;
            let (mut heard, mut given_up) = (Vec::new(), 0);
            loop {
                match recv_within(&mut socket, Duration::from_micros(700)).await {
                    None => given_up += 1,
                    Some(Some(Message::Text(text))) => heard.push(text),
                    Some(_) => break,
                }
            }
            assert!(given_up > 0, "nothing was tried");
            assert!(
                heard
                    .iter()
                    .enumerate()
                    .all(|(at, text)| *text == at.to_string())
            );
            assert_eq!((heard.len(), socket.close_code()), (100, Some(1000)));
            socket.closed().await;
            Ok::<_, Failure>(())
        });
        world.wait_for(done).unwrap();
        port.stop_listening();
    });
}

#[test]
fn how_it_ended_is_told_to_who_awaits() {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&heard);
    let server = WebSocketServer::new(move |_| {
        let kept = Rc::clone(&kept);
        Conversation::new(|mut socket| async move {
            assert_eq!(
                (socket.close_code(), socket.close_words()),
                (None, String::new())
            );
            assert_eq!(socket.recv().await, None);
            kept.borrow_mut()
                .push((socket.close_code(), socket.close_words()));
        })
    });
    let ends: [&[u8]; 3] = [&frame(0x88, b"\x0f\xa0enough"), &frame(0x88, b""), b""];
    for end in ends {
        let mut client = StringTransport::builder().factory(server.clone());
        client.receive(REQUEST);
        client.receive(end);
        client.fail(std::io::ErrorKind::ConnectionReset);
        client.settle();
    }
    let none = String::new;
    assert_eq!(
        heard.take(),
        [
            (Some(4000), "enough".to_owned()),
            (Some(1005), none()),
            (Some(1006), none())
        ]
    );
}

#[test]
fn a_handle_of_a_client_that_is_dropped_closes() {
    let journal = Journal::default();
    let kept = journal.clone();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let server = WebSocketServer::new(move |_| Echo(kept.clone()));
    reactor.listen("tcp:10.0.0.1:80", server).unwrap();
    let visit = async |reactor: Handle| {
        let client = WebSocketClient::new("ws://10.0.0.1/")?;
        let mut talk = client.talk(&reactor).await?;
        talk.send_text("a");
        assert_eq!(talk.recv().await, Some("a".into()));
        let socket = talk.clone();
        drop(talk);
        socket.closed().await;
        assert_eq!(socket.close_code(), Some(1000), "the answer");
        drop(client.talk(&reactor)); // nobody waits any more
        let refused = WebSocketClient::new("ws://10.0.0.1:81/")?
            .talk(&reactor)
            .await;
        assert!(refused.is_err());
        Ok::<_, Failure>(())
    };
    reactor.run_main(visit).unwrap();
    let lines = journal.take();
    assert_eq!(
        lines[..4],
        ["opened", "text a", "close Some(1000)", "lost 1000 true"]
    );
}

/// The peer sends no more than the queue and the connection take, until the function goes on.
#[test]
fn ws_03_a_function_that_does_not_await_holds_its_peer_back() {
    run_test(TestCase::new("held back"), |world: &mut World| {
        let may_go_on = Rc::new(Cell::new(false));
        let (gate, count) = (Rc::clone(&may_go_on), Rc::new(Cell::new(0)));
        let counting = Rc::clone(&count);
        let server = WebSocketServer::new(move |_| {
            let (gate, counting) = (Rc::clone(&gate), Rc::clone(&counting));
            Conversation::new(|mut socket| async move {
                while !gate.get() {
                    let _ = sleep(socket.reactor(), Duration::from_millis(50)).await;
                }
                while let Some(message) = socket.recv().await {
                    assert_eq!(message.len(), 10_000);
                    counting.set(counting.get() + 1);
                }
            })
        });
        let port = world
            .reactor("server")
            .listen("tcp:10.0.0.1:80", server)
            .unwrap();
        let client = WebSocketClient::new("ws://10.0.0.1/").unwrap();
        let talk = client.talk(world.reactor("client"));
        let talk = world.wait_for(talk).unwrap();
        (0..1000).for_each(|_| talk.send_binary([7; 10_000]));
        world.run_for(Duration::from_secs(10));
        let waits = talk.buffered();
        assert!(
            waits > 7_000_000,
            "{waits} bytes of 10 MB wait on the other side"
        );
        may_go_on.set(true);
        world.wait_until(|| count.get() == 1000);
        talk.close(CloseCode::NORMAL, "");
        let ended = talk.reactor().clone().spawn(async move {
            talk.closed().await;
            Ok::<_, Failure>(())
        });
        world.wait_for(ended).unwrap();
        port.stop_listening();
    });
}

#[test]
fn a_message_in_fragments_does_not_wait_for_those_behind_it() {
    let server = WebSocketServer::new(|_| {
        Conversation::new(|socket| async move {
            let mut message = socket.begin(Kind::Binary).expect("nothing waits");
            socket.send_text("behind");
            message.send_slowly("a").await;
            assert!(socket.ready().await && !socket.is_full());
            message.send_slowly("b").await;
            assert_eq!(socket.begin(Kind::Text).err(), Some(SendError::InMessage));
            message.finish();
            socket.closed().await;
        })
    });
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.settle();
    let sent = client.take_sent();
    let frames = b"\x02\x00\x00\x01a\x00\x01b\x80\x00\x81\x06behind";
    assert!(sent.ends_with(frames), "{}", sent.escape_ascii());
}

#[test]
fn a_message_in_fragments_begins_behind_what_waits() {
    let room = Topic::new();
    let said = Rc::new(RefCell::new(Vec::new()));
    let notes = Rc::clone(&said);
    let server = WebSocketServer::new(move |_| {
        let (room, notes) = (room.clone(), Rc::clone(&notes));
        Conversation::new(|mut socket| async move {
            room.subscribe(&socket);
            socket.recv().await;
            socket.send_binary(vec![0; 100_000]);
            room.send("before");
            notes.borrow_mut().push(socket.begin(Kind::Text).map(drop));
            socket.ready().await;
            let message = socket.begin(Kind::Text).expect("there is room");
            message.finish();
            socket.closed().await;
        })
    });
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.settle();
    client.block_sending();
    client.receive(frame(0x81, b"go"));
    client.settle();
    assert_eq!(*said.borrow(), [Err(SendError::Waiting)]);
    client.unblock_sending();
    client.settle();
    let sent = client.take_sent();
    let end = b"\x81\x06before\x01\x00\x80\x00";
    assert!(
        sent.ends_with(end),
        "{}",
        sent[sent.len() - 20..].escape_ascii()
    );
}
