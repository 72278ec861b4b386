//! Bad responses (CL-04), and bytes that nobody asked for.

use ropewalk_web::{Agent, AgentError, AgentProblem, BodyError};

use crate::scene::{HOST, ask, run, stage};

/// What was wrong, of the head or the body.
fn is_malformed(error: &AgentError) -> bool {
    matches!(
        error.problem(),
        AgentProblem::Malformed(_)
            | AgentProblem::Lost {
                has_heard: true,
                ..
            }
            | AgentProblem::Body(BodyError::Malformed(_) | BodyError::Cut)
    )
}

#[test]
fn cl_04_bad_responses_are_refused() {
    for response in [
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 0200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 O\0K\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\ntea",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\ntea\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nteas\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n",
    ] {
        let error = ask(response).unwrap_err();
        assert!(is_malformed(&error), "{response:?}: {error}");
    }
}

#[test]
fn cl_04_what_has_no_end_is_refused() {
    let endless: [fn(usize) -> String; 4] = [
        |_| "HTTP/1.1 103 Early Hints\r\n\r\n".to_owned(),
        |number| match number {
            0 => "HTTP/1.1 200 OK\r\n".to_owned(),
            _ => "X-Own: 0123456789012345678901234567890123456789\r\n".to_owned(),
        },
        |number| match number {
            0 => "HTTP/1.1 200 ".to_owned(),
            _ => "O".repeat(100),
        },
        |number| match number {
            0 => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            _ => "1;0123456789012345678901234567890123456789\r\nx\r\n".to_owned(),
        },
    ];
    for part in endless {
        let (mut reactor, _) = stage(move |transport, _, _, _| {
            (0..2000).for_each(|number| transport.write(part(number)));
        });
        run(&mut reactor, async |handle| {
            let agent = Agent::new(&handle);
            let outcome = match agent.get(HOST).await {
                Ok(response) => response.bytes().await.map(drop),
                Err(error) => Err(error),
            };
            let error = outcome.unwrap_err();
            assert!(is_malformed(&error), "{error}");
            assert!(handle.now().as_secs() < 60, "it is no time-out");
        });
    }
}

#[test]
fn what_a_server_says_before_it_is_asked_is_no_answer() {
    let (mut reactor, _) = stage(|transport, _, _, _| {
        transport.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let later = transport.clone();
        let soon = std::time::Duration::from_secs(1);
        transport.reactor().call_later(soon, move |_| {
            later.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        });
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        drop(agent.get(HOST).await.unwrap());
        crate::scene::pause(&handle, 2).await;
        assert_eq!(agent.connections(), 0, "the connection is not used again");
    });
}

#[test]
fn every_split_gives_the_same() {
    const RESPONSE: &str = "HTTP/1.1 103 x\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n2;x=y\r\n!!\r\n0\r\nX-T: 1\r\n\r\n";
    for cut in 1..RESPONSE.len() {
        let (mut reactor, _) = stage(move |transport, _, _, _| {
            transport.write(&RESPONSE[..cut]);
            let later = transport.clone();
            let soon = std::time::Duration::from_secs(1);
            transport
                .reactor()
                .call_later(soon, move |_| later.write(&RESPONSE[cut..]));
        });
        run(&mut reactor, async |handle| {
            let agent = Agent::new(&handle);
            let response = agent.get(HOST).await.unwrap();
            let body = response.body();
            assert_eq!(response.text().await.unwrap(), "tea!!");
            assert_eq!(body.trailers().unwrap().get("x-t").unwrap(), "1");
            assert_eq!(agent.connections(), 1);
        });
    }
}
