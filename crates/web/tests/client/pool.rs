//! Which connections are used again (R168).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Transport;
use ropewalk_web::{Agent, AgentLimits};

use crate::scene::{HOST, always, is_lost, page, pause, run, stage};

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntea";

async fn get(agent: &Agent) -> String {
    agent.get(HOST).await.unwrap().text().await.unwrap()
}

#[test]
fn r168_a_connection_is_used_again_once_its_body_was_read() {
    let (mut reactor, diary) = always(PAGE);
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        for _ in 0..3 {
            assert_eq!(get(&agent).await, "tea");
        }
        assert_eq!(agent.connections(), 1);
    });
    assert_eq!(diary.take()[..3], ["0: GET / HTTP/1.1"; 3]);
}

#[test]
fn r168_a_body_that_is_not_read_keeps_its_connection() {
    let (mut reactor, diary) = stage(|transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        transport.write(vec![b'x'; 50_000]);
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let first = agent.get(HOST).await.unwrap();
        let second = agent.get(HOST).await.unwrap();
        assert_eq!(agent.connections(), 2);
        drop((first, second));
    });
    let diary = diary.take();
    assert_eq!(diary[..2], ["0: GET / HTTP/1.1", "1: GET / HTTP/1.1"]);
}

#[test]
fn a_body_that_nobody_wants_is_drained_if_it_is_short() {
    for (length, connections) in [(50_000, 1), (500_000, 0)] {
        let (mut reactor, _) = stage(move |transport, _, _, _| {
            transport.write(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
            ));
            transport.write(vec![b'x'; length]);
        });
        run(&mut reactor, move |handle| async move {
            let agent = Agent::new(&handle);
            drop(agent.get(HOST).await.unwrap());
            pause(&handle, 5).await;
            assert_eq!(agent.connections(), connections, "{length}");
        });
    }
}

#[test]
fn r168_two_idle_connections_are_kept_for_240_seconds() {
    let (mut reactor, diary) = stage(|transport, _, _, _| {
        let later = transport.clone();
        let soon = Duration::from_secs(1);
        transport
            .reactor()
            .call_later(soon, move |_| later.write(PAGE));
    });
    let time = run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let all: Vec<_> = (0..5).map(|_| agent.get(HOST).send()).collect();
        for response in all {
            assert_eq!(response.await.unwrap().text().await.unwrap(), "tea");
        }
        pause(&handle, 5).await;
        assert_eq!(agent.connections(), 2);
        pause(&handle, 230).await;
        assert_eq!(agent.connections(), 2);
        pause(&handle, 10).await;
        assert_eq!(agent.connections(), 0);
        handle.now()
    });
    assert!(time < Duration::from_secs(250));
    assert_eq!(
        diary
            .take()
            .iter()
            .filter(|line| line.contains("lost"))
            .count(),
        5
    );
}

#[test]
fn a_server_may_say_that_it_keeps_them_for_less_long() {
    let (mut reactor, _) =
        always("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=6\r\nContent-Length: 3\r\n\r\ntea");
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        get(&agent).await;
        pause(&handle, 4).await;
        assert_eq!(agent.connections(), 1);
        pause(&handle, 2).await;
        assert_eq!(agent.connections(), 0);
    });
}

#[test]
fn an_idle_connection_that_the_server_closes_is_not_used_again() {
    let (mut reactor, diary) = stage(|transport, _, _, _| {
        transport.write(PAGE);
        let later = transport.clone();
        let soon = Duration::from_secs(2);
        transport
            .reactor()
            .call_later(soon, move |_| later.lose_connection());
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let post = async || agent.post(HOST).await.unwrap().text().await.unwrap();
        post().await;
        pause(&handle, 5).await;
        assert_eq!(agent.connections(), 0);
        post().await;
    });
    let diary = diary.take();
    assert_eq!(
        diary[..3],
        ["0: POST / HTTP/1.1", "0: lost", "1: POST / HTTP/1.1"]
    );
}

/// A server that answers the first request of the first connection, and then cuts it when asked again.
fn stale(reset_all: bool) -> (ropewalk_core::Reactor, crate::scene::Diary) {
    stage(
        move |transport, connection, number, _| match (connection, number) {
            (0, 0) => transport.write(PAGE),
            (0, _) => transport.abort_connection(),
            _ if reset_all => transport.abort_connection(),
            _ => transport.write(PAGE),
        },
    )
}

#[test]
fn r168_an_idempotent_request_without_body_is_sent_once_more() {
    let (mut reactor, diary) = stale(false);
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        assert_eq!(get(&agent).await, "tea");
        assert_eq!(get(&agent).await, "tea");
    });
    let lines = diary.take();
    let requests: Vec<_> = lines.iter().filter(|line| line.contains("GET")).collect();
    assert_eq!(
        requests,
        [
            "0: GET / HTTP/1.1",
            "0: GET / HTTP/1.1",
            "1: GET / HTTP/1.1"
        ]
    );
}

#[test]
fn r168_nothing_else_is_sent_twice_and_nothing_thrice() {
    for (method, body, requests) in [
        ("POST", "", 2),
        ("PUT", "x", 2),
        ("GET", "x", 2),
        ("GET", "", 3),
    ] {
        let (mut reactor, diary) = stale(true);
        let error = run(&mut reactor, move |handle| async move {
            let agent = Agent::new(&handle);
            get(&agent).await;
            agent.request(method, HOST).body(body).await.unwrap_err()
        });
        assert!(is_lost(&error), "{error}");
        let lines = diary.take();
        let sent = lines
            .iter()
            .filter(|line| line.contains("HTTP/1.1"))
            .count();
        assert_eq!(sent, requests, "{method} {body}");
    }
}

#[test]
fn r168_nothing_is_sent_again_once_an_answer_began() {
    let (mut reactor, diary) = stage(|transport, _, number, _| match number {
        0 => transport.write(PAGE),
        _ => {
            transport.write("HTTP/1.1 200 ");
            transport.lose_connection();
        }
    });
    let error = run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        get(&agent).await;
        agent.get(HOST).await.unwrap_err()
    });
    assert!(
        is_lost(&error) && error.to_string().contains("within the head"),
        "{error}"
    );
    assert_eq!(diary.take()[..2], ["0: GET / HTTP/1.1"; 2]);
}

#[test]
fn bytes_behind_a_response_end_the_connection() {
    let (mut reactor, diary) = stage(|transport, _, _, _| {
        transport.write(PAGE);
        transport.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        assert_eq!(get(&agent).await, "tea");
        assert_eq!(get(&agent).await, "tea");
    });
    let lines = diary.take();
    assert!(lines.contains(&"1: GET / HTTP/1.1".to_owned()), "{lines:?}");
}

#[test]
fn connections_to_one_host_are_few_and_the_others_wait() {
    let most = Rc::new(RefCell::new((0_usize, 0_usize)));
    let counted = Rc::clone(&most);
    let (mut reactor, diary) = stage(move |transport, connection, _, _| {
        let mut most = counted.borrow_mut();
        most.0 = most.0.max(connection + 1);
        most.1 += 1;
        let later: Transport = transport.clone();
        let soon = Duration::from_secs(1);
        transport
            .reactor()
            .call_later(soon, move |_| later.write(page("tea")));
    });
    let time = run(&mut reactor, async |handle| {
        let mut limits = AgentLimits::default();
        (limits.connections_per_host, limits.idle_per_host) = (3, 3);
        let agent = Agent::new(&handle).with_limits(limits);
        let all: Vec<_> = (0..30).map(|_| agent.get(HOST).send()).collect();
        for response in all {
            assert_eq!(response.await.unwrap().text().await.unwrap(), "tea");
        }
        assert_eq!(agent.connections(), 3);
        handle.now()
    });
    assert_eq!(*most.borrow(), (3, 30));
    assert!(time < Duration::from_secs(12), "{time:?}");
    drop(diary);
}

#[test]
fn requests_in_line_that_are_given_up_leave_it() {
    let (mut reactor, _) = stage(|transport, _, number, _| {
        if number > 0 {
            transport.write(PAGE);
        }
    });
    run(&mut reactor, async |handle| {
        let mut limits = AgentLimits::default();
        limits.connections_per_host = 1;
        let agent = Agent::new(&handle).with_limits(limits);
        let all: Vec<_> = (0..10).map(|_| agent.get(HOST).send()).collect();
        pause(&handle, 1).await;
        for waiting in all {
            assert!(waiting.cancel().await.is_err());
        }
        pause(&handle, 1).await;
        assert_eq!(agent.connections(), 0);
    });
}

#[test]
fn an_agent_that_is_gone_leaves_no_connections() {
    let (mut reactor, diary) = always(PAGE);
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        get(&agent).await;
        let body = agent.get(HOST).await.unwrap();
        drop(agent);
        assert_eq!(body.text().await.unwrap(), "tea");
        pause(&handle, 1).await;
    });
    assert_eq!(diary.take().last().unwrap(), "0: lost");
}

#[test]
fn a_server_that_accepts_and_closes_is_not_asked_for_ever() {
    struct Closes;
    impl ropewalk_core::Protocol for Closes {
        fn connection_made(&mut self, transport: &Transport) {
            transport.lose_connection();
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let (mut reactor, _) = always("");
    reactor.listen("tcp:10.0.0.1:81", || Closes).unwrap();
    run(&mut reactor, async |handle| {
        let error = Agent::new(&handle)
            .get("http://10.0.0.1:81")
            .await
            .unwrap_err();
        assert!(is_lost(&error), "{error}");
    });
}
