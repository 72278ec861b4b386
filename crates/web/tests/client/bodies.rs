//! How the bodies of responses come (R167).

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_core::Transport;
use ropewalk_web::{Agent, AgentLimits, AgentProblem, BodyEnd, BodyError};

use crate::scene::{HOST, always, ask, pause, run, stage};

#[test]
fn r167_the_response_arrives_with_its_head_and_the_body_later() {
    let (mut reactor, _) = stage(|transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Own: 1\r\n\r\n");
        let later = transport.clone();
        let soon = std::time::Duration::from_secs(5);
        transport
            .reactor()
            .call_later(soon, move |_| later.write("tea"));
    });
    run(&mut reactor, async |handle| {
        let response = Agent::new(&handle).get(HOST).await.unwrap();
        assert_eq!(handle.now().as_secs(), 0);
        assert_eq!(response.header("x-own"), Some("1"));
        let mut body = response.body();
        assert_eq!((body.end(), body.known_length()), (None, Some(3)));
        assert_eq!(body.chunk().await.unwrap().unwrap(), "tea");
        assert_eq!(handle.now().as_secs(), 5);
        assert_eq!(body.chunk().await.unwrap(), None);
        assert_eq!(body.end(), Some(BodyEnd::Done));
    });
}

#[test]
fn r167_the_body_is_not_read_before_it_is_asked_for() {
    let server: Rc<RefCell<Option<Transport>>> = Rc::default();
    let place = Rc::clone(&server);
    let (mut reactor, _) = stage(move |transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
        transport.write(vec![b'x'; 10_000_000]);
        *place.borrow_mut() = Some(transport.clone());
    });
    run(&mut reactor, move |handle| async move {
        let response = Agent::new(&handle).get(HOST).await.unwrap();
        pause(&handle, 30).await;
        let unsent = server.borrow().as_ref().unwrap().unsent_bytes();
        assert!(unsent > 8_000_000, "{unsent} bytes wait at the server");
        let mut body = response.body();
        let mut length = body.chunk().await.unwrap().unwrap().len();
        pause(&handle, 30).await;
        let unsent = server.borrow().as_ref().unwrap().unsent_bytes();
        assert!(unsent > 8_000_000, "{unsent} bytes wait at the server");
        while let Some(chunk) = body.chunk().await.unwrap() {
            length += chunk.len();
        }
        assert_eq!(length, 10_000_000);
    });
}

#[test]
fn r167_a_body_without_length_is_a_potential_loss_and_a_cut_one_fails() {
    for (head, end) in [
        ("HTTP/1.1 200 OK\r\n\r\ntea", BodyEnd::PotentialLoss),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\ntea",
            BodyEnd::Done,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntea",
            BodyEnd::Failed(BodyError::Cut),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n",
            BodyEnd::Failed(BodyError::Cut),
        ),
    ] {
        let (mut reactor, _) = stage(move |transport, _, _, _| {
            transport.write(head);
            transport.lose_connection();
        });
        run(&mut reactor, move |handle| async move {
            let response = Agent::new(&handle).get(HOST).await.unwrap();
            pause(&handle, 1).await;
            let mut body = response.body();
            assert_eq!(body.chunk().await.unwrap().unwrap(), "tea");
            let last = body.chunk().await;
            assert_eq!(last.is_ok(), !matches!(end, BodyEnd::Failed(_)));
            assert_eq!(body.end(), Some(end));
        });
    }
}

#[test]
fn interim_responses_are_passed_over_and_told_to_whoever_asked() {
    let (mut reactor, _) = always(
        "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntea",
    );
    let told = Rc::new(RefCell::new(Vec::new()));
    let ours = Rc::clone(&told);
    run(&mut reactor, move |handle| async move {
        let request = Agent::new(&handle)
            .get(HOST)
            .on_interim(move |status, headers| {
                let link = headers
                    .get("link")
                    .map(|link| link.to_str().unwrap().to_owned());
                ours.borrow_mut().push((status.as_u16(), link));
            });
        assert_eq!(request.await.unwrap().text().await.unwrap(), "tea");
    });
    assert_eq!(
        told.take(),
        [(103, Some("</style.css>".to_owned())), (102, None)]
    );
}

#[test]
fn heads_without_bodies_have_none() {
    for head in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert_eq!(ask(head).unwrap(), "");
    }
    let (mut reactor, diary) = always("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        for _ in 0..2 {
            let response = agent.request("HEAD", HOST).await.unwrap();
            assert_eq!(response.header("content-length"), Some("9"));
            assert_eq!(response.bytes().await.unwrap(), "");
        }
    });
    assert_eq!(
        diary.take()[..2],
        ["0: HEAD / HTTP/1.1", "0: HEAD / HTTP/1.1"]
    );
}

#[test]
fn text_is_what_its_type_says() {
    let utf_8 = ask(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=\"UTF-8\"\r\nContent-Length: 2\r\n\r\né",
    );
    assert_eq!(utf_8.unwrap(), "é");
    let other = ask(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html;charset=koi8-r\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(other.unwrap_err().to_string().contains("koi8-r"));
    let (mut reactor, _) = stage(|transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Length: 1\r\n\r\n");
        transport.write([0xe9]);
    });
    run(&mut reactor, async |handle| {
        let text = Agent::new(&handle).get(HOST).await.unwrap().text().await;
        assert_eq!(text.unwrap(), "é");
    });
}

#[test]
fn json_is_read_and_what_is_none_is_told() {
    let (mut reactor, _) = always("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]");
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let list: Vec<u8> = agent.get(HOST).await.unwrap().json().await.unwrap();
        assert_eq!(list, [1, 2]);
        let wrong = agent.get(HOST).await.unwrap().json::<String>().await;
        let wrong = wrong.unwrap_err();
        assert!(
            matches!(wrong.problem(), AgentProblem::Decode(_)),
            "{wrong}"
        );
    });
}

#[test]
fn a_body_that_is_collected_has_a_limit() {
    for head in ["Content-Length: 6", "Transfer-Encoding: chunked"] {
        let (mut reactor, _) = stage(move |transport, _, _, _| {
            let body = if head.starts_with('T') {
                "6\r\n123456\r\n0\r\n\r\n"
            } else {
                "123456"
            };
            transport.write(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"));
        });
        run(&mut reactor, async |handle| {
            let mut limits = AgentLimits::default();
            limits.body_bytes = 5;
            let agent = Agent::new(&handle).with_limits(limits);
            let error = agent.get(HOST).await.unwrap().bytes().await.unwrap_err();
            assert!(error.to_string().contains("more than 5 bytes"), "{error}");
        });
    }
}

#[test]
fn compressed_bodies_are_decompressed_within_a_limit() {
    const GZIP: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10,
        0x36, 5, 0, 0, 0,
    ];
    let (mut reactor, _) = stage(|transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n");
        transport.write(GZIP);
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let response = agent.get(HOST).await.unwrap();
        assert_eq!(response.body().known_length(), None);
        assert_eq!(response.text().await.unwrap(), "hello");
        let plain = agent.clone().without_decompression();
        assert_eq!(plain.get(HOST).await.unwrap().bytes().await.unwrap(), GZIP);
        let mut limits = AgentLimits::default();
        limits.decompressed_bytes = 4;
        let error = agent
            .get(HOST)
            .limits(limits)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap_err();
        assert!(error.to_string().contains("4 bytes"), "{error}");
    });
}

#[test]
fn an_error_for_the_status_is_one_for_those_who_want_it() {
    let (mut reactor, _) = always("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    run(&mut reactor, async |handle| {
        let response = Agent::new(&handle).get(HOST).await.unwrap();
        let error = response.error_for_status().unwrap_err();
        assert_eq!(
            error.to_string(),
            "GET http://10.0.0.1/: the server answered 404 Not Found"
        );
    });
}

#[test]
fn a_body_that_nobody_reads_and_that_has_no_end_costs_the_connection_soon() {
    let (mut reactor, diary) = stage(|transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        beat(transport);
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        drop(agent.get(HOST).await.unwrap());
        pause(&handle, 5).await;
        assert_eq!(agent.connections(), 0, "each beat is short, all are not");
    });
    assert_eq!(diary.take(), ["0: GET / HTTP/1.1", "0: lost"]);
}

/// Says something each second, as a stream of events does.
fn beat(transport: &Transport) {
    transport.write("3\r\n:\n\n\r\n");
    let again = transport.clone();
    let soon = std::time::Duration::from_secs(1);
    transport.reactor().call_later(soon, move |_| {
        if again.is_open() {
            beat(&again);
        }
    });
}
