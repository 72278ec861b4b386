//! What is sent, and what is not.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Transport;
use ropewalk_web::{Agent, AgentProblem, Body, Bytes, Failure, Name};

use crate::scene::{HOST, always, is_lost, page, run, stage};

/// What the server heard of a request.
fn heard(make: impl AsyncFnOnce(Agent) + 'static) -> String {
    let seen = Rc::new(RefCell::new(String::new()));
    let ours = Rc::clone(&seen);
    let (mut reactor, _) = stage(move |transport, _, _, request| {
        ours.borrow_mut().push_str(request);
        transport.write(page(""));
    });
    run(&mut reactor, move |handle| async move {
        make(Agent::new(&handle)).await;
    });
    seen.take()
}

#[test]
fn a_request_has_a_host_a_name_and_what_it_understands() {
    let heard = heard(async |agent| drop(agent.get("http://10.0.0.1/tea?cup=2#handle").await));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        heard,
        format!(
            "GET /tea?cup=2 HTTP/1.1\r\nHost: 10.0.0.1\r\nUser-Agent: ropewalk/{version}\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
        )
    );
}

#[test]
fn headers_query_json_and_credentials_are_sent() {
    let heard = heard(async |agent| {
        let agent = agent.without_decompression();
        let request = agent.request("PUT", "http://10.0.0.1/x?a=b");
        let request = request.query([("c", "d e")]).json(&[1, 2]);
        let request = request.basic_auth("me", "open sesame").header("X-Own", "1");
        drop(request.header(Name::UserAgent, "me").await.unwrap());
    });
    assert_eq!(
        heard,
        "PUT /x?a=b&c=d+e HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Type: application/json\r\n\
         Authorization: Basic bWU6b3BlbiBzZXNhbWU=\r\nX-Own: 1\r\nUser-Agent: me\r\nContent-Length: 5\r\n\r\n[1,2]"
    );
}

#[test]
fn forms_tokens_and_credentials_in_the_url_are_sent() {
    let heard = heard(async |agent| {
        let request = agent.post("http://me:p%40ss@10.0.0.1/");
        drop(request.form([("a", "b&c"), ("d", "é")]).await.unwrap());
        drop(agent.get(HOST).bearer_auth("tok").await.unwrap());
    });
    assert!(
        heard.contains("Authorization: Basic bWU6cEBzcw==\r\n"),
        "{heard}"
    );
    assert!(heard.contains("Content-Type: application/x-www-form-urlencoded\r\n"));
    assert!(heard.contains("\r\n\r\na=b%26c&d=%C3%A9GET"), "{heard}");
    assert!(heard.contains("Authorization: Bearer tok\r\n"));
    assert!(heard.contains("Host: 10.0.0.1\r\n") && !heard.contains("me:"));
}

#[test]
fn cl_03_every_body_has_a_length_or_is_chunked() {
    let heard = heard(async |agent| {
        drop(agent.post(HOST).await.unwrap());
        drop(agent.get(HOST).body("in a GET").await.unwrap());
        let pieces = [Ok::<_, Failure>(Bytes::from("one")), Ok(Bytes::from("two"))];
        let body = Body::stream(Pieces(pieces.into_iter()));
        drop(agent.post(HOST).body(body).await.unwrap());
    });
    let heads: Vec<_> = heard.split(" / HTTP/1.1").collect();
    assert!(heads[1].contains("Content-Length: 0\r\n"), "{heard}");
    assert!(heads[2].contains("Content-Length: 8\r\n\r\nin a GET"));
    assert!(
        heads[3].contains("Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    );
}

struct Pieces<I>(I);

impl<T, I: Iterator<Item = T> + Unpin> futures_core::Stream for Pieces<I> {
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[test]
fn r171_nothing_is_sent_of_what_cannot_be_said() {
    let (mut reactor, diary) = always("");
    let errors = run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let mut errors = Vec::new();
        for request in [
            agent.request("GE T", HOST),
            agent.request("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", HOST),
            agent.request("", HOST),
            agent.get("http://10.0.0.1/a b"),
            agent.get("http://10.0.0.1/a\r\nX: y"),
            agent.get("http://10.0.0.1\r\n/"),
            agent.get("http://10.0.0.1/\0"),
            agent.get(HOST).header("X", "a\r\nY: b"),
            agent.get(HOST).header("X\r\nY", "a"),
            agent.get(HOST).header("X", "a\0"),
            agent.get(HOST).header("Content-Length", "5"),
            agent.get(HOST).header("Transfer-Encoding", "chunked"),
            agent.get(HOST).header("Host", "a b"),
            agent.get(HOST).header("X", " a"),
            agent.get(HOST).bearer_auth("a\nb"),
        ] {
            errors.push(request.await.unwrap_err().to_string());
        }
        errors
    });
    assert!(diary.take().iter().all(|line| line.ends_with("lost")));
    for error in errors {
        assert!(!error.contains(['\r', '\n', '\0']), "{error}");
    }
}

#[test]
fn r169_a_body_is_as_long_as_it_said() {
    for (said, given) in [(5, "four"), (3, "four")] {
        let (mut reactor, diary) = always("");
        let error = run(&mut reactor, move |handle| async move {
            let agent = Agent::new(&handle);
            let body = Body::wrap(Said(said, Some(Bytes::from(given))));
            agent.post(HOST).body(body).await.unwrap_err()
        });
        assert!(
            matches!(error.problem(), AgentProblem::Request(_)),
            "{error}"
        );
        assert!(error.to_string().contains("not as long"), "{error}");
        assert_eq!(diary.take(), ["0: lost"], "no whole request came");
    }
}

/// A body that says how long it is.
struct Said(u64, Option<Bytes>);

impl http_body::Body for Said {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Failure>>> {
        std::task::Poll::Ready(self.1.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0)
    }
}

#[test]
fn a_body_that_fails_fails_the_request() {
    let (mut reactor, diary) = always("");
    let error = run(&mut reactor, async |handle| {
        let pieces = [
            Ok(Bytes::from("one")),
            Err(Failure::message("the disk is gone")),
        ];
        let body = Body::stream(Pieces(pieces.into_iter()));
        Agent::new(&handle).post(HOST).body(body).await.unwrap_err()
    });
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert_eq!(diary.take(), ["0: lost"]);
}

#[test]
fn a_server_that_wants_no_body_is_asked_first() {
    let (mut reactor, diary) = stage(|_, _, _, _| {});
    struct Refuses;
    impl ropewalk_core::Protocol for Refuses {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            assert!(!data.ends_with(b"large"), "the body is held back");
            transport.write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
        }
    }
    reactor.listen("tcp:10.0.0.1:81", || Refuses).unwrap();
    let status = run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let request = agent.post("http://10.0.0.1:81").body("large");
        let request = request.header(Name::Expect, "100-continue");
        request.await.unwrap().status()
    });
    assert_eq!(status, 413);
    drop(diary);
}

#[test]
fn a_server_that_does_not_say_go_on_gets_the_body_after_a_second() {
    let (mut reactor, diary) = stage(|transport, _, _, request| {
        assert!(request.ends_with("tea"));
        transport.write(page("got it"));
    });
    let (text, time) = run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let request = agent
            .post(HOST)
            .body("tea")
            .header(Name::Expect, "100-continue");
        let text = request.await.unwrap().text().await.unwrap();
        (text, handle.now())
    });
    assert_eq!((text.as_str(), time.as_secs()), ("got it", 1));
    assert_eq!(diary.take()[0], "0: POST / HTTP/1.1");
}

#[test]
fn times_end_each_phase() {
    for (answer, limit, phase) in [
        ("", "first_byte", "no answer within 7s"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
            "body",
            "came too slowly",
        ),
        ("", "total", "not done within 7s"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
            "total",
            "came too slowly",
        ),
    ] {
        let (mut reactor, _) = always(answer);
        let (error, now) = run(&mut reactor, move |handle| async move {
            let mut limits = ropewalk_web::AgentLimits::default();
            let seven = Duration::from_secs(7);
            match limit {
                "first_byte" => limits.first_byte = seven,
                "body" => limits.body_idle = seven,
                _ => limits.total = Some(seven),
            }
            let agent = Agent::new(&handle).with_limits(limits);
            let outcome = match agent.get(HOST).await {
                Ok(response) => response.bytes().await.map(drop),
                Err(error) => Err(error),
            };
            (outcome.unwrap_err(), handle.now().as_secs())
        });
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().contains(phase), "{limit}: {error}");
        assert!(
            error.to_string().starts_with("GET http://10.0.0.1/: "),
            "{error}"
        );
        assert_eq!(now, 7);
    }
}

#[test]
fn the_time_for_an_answer_begins_when_the_request_is_sent() {
    let (mut reactor, _) = stage(|transport, _, number, _| {
        transport.write(page("here"));
        if number == 0 {
            // For so long it reads nothing of the next request.
            transport.pause_reading();
            let reader = transport.clone();
            let pause = Duration::from_secs(20);
            transport
                .reactor()
                .call_later(pause, move |_| reader.resume_reading());
        }
    });
    let (text, seconds) = run(&mut reactor, async |handle| {
        let mut limits = ropewalk_web::AgentLimits::default();
        limits.first_byte = Duration::from_secs(7);
        let agent = Agent::new(&handle).with_limits(limits);
        agent.get(HOST).await.unwrap().text().await.unwrap();
        let long = agent.post(HOST).body("x".repeat(LONG_BYTES));
        let text = long.await.unwrap().text().await.unwrap();
        (text, handle.now().as_secs())
    });
    assert_eq!((text.as_str(), seconds), ("here", 20));
}

/// More than the kernels of both sides hold, so that the last of it waits for its server.
const LONG_BYTES: usize = 300_000;

#[test]
fn a_head_that_comes_byte_by_byte_takes_no_longer() {
    for (part, seconds) in [
        ("HTTP/1.1 200 OK\r\nX: 0123456789", 60),
        ("HTTP/1.1 102 x\r\n\r\n", 110),
    ] {
        let (mut reactor, _) = stage(move |transport, _, _, _| {
            // A byte every second, or an interim response every ten, five times.
            let whole = part.starts_with("HTTP/1.1 102");
            let step = if whole { part.len() } else { 1 };
            let pieces = part
                .as_bytes()
                .chunks(step)
                .cycle()
                .take(if whole { 5 } else { 500 });
            for (number, piece) in pieces.enumerate() {
                let later = transport.clone();
                let piece = piece.to_vec();
                let after = if whole { 10 } else { 1 } * (number as u64 + 1);
                transport
                    .reactor()
                    .call_later(Duration::from_secs(after), move |_| later.write(piece));
            }
        });
        let (error, time) = run(&mut reactor, async |handle| {
            let error = Agent::new(&handle).get(HOST).await.unwrap_err();
            (error, handle.now().as_secs())
        });
        assert!(error.is_timeout(), "{error}");
        assert_eq!(time, seconds);
    }
}

#[test]
fn nobody_there_and_nobody_answering_are_told_with_the_address() {
    let (mut reactor, _) = always("");
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let error = agent.get("http://10.0.0.1:99/x").await.unwrap_err();
        assert!(error.to_string().contains("10.0.0.1:99"), "{error}");
        assert!(error.to_string().contains("refused"), "{error}");
        let error = agent.get("http://nowhere.example/").await.unwrap_err();
        assert!(error.to_string().contains("nowhere.example"), "{error}");
        assert_eq!(agent.connections(), 0);
    });
}

#[test]
fn an_error_names_the_request_without_its_secrets() {
    let (mut reactor, _) = stage(|transport, _, _, _| transport.lose_connection());
    let error = run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        agent
            .get("http://me:pass@10.0.0.1/x?token=1")
            .await
            .unwrap_err()
    });
    assert!(is_lost(&error));
    let text = error.to_string();
    assert!(
        text.starts_with("GET http://10.0.0.1/x: the connection to tcp:10.0.0.1:80 ended before"),
        "{text}"
    );
    assert!(!text.contains("pass") && !text.contains("token"), "{text}");
}

#[test]
fn a_sent_request_is_a_deferred_that_can_be_cancelled() {
    let (mut reactor, diary) = always("");
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let waiting = agent.get(HOST).send();
        crate::scene::pause(&handle, 1).await;
        let failure = waiting.cancel().await.unwrap_err();
        assert!(
            failure.is::<ropewalk_core::failure::Cancelled>(),
            "{failure}"
        );
        crate::scene::pause(&handle, 1).await;
        assert_eq!(agent.connections(), 0);
    });
    assert_eq!(diary.take(), ["0: GET / HTTP/1.1", "0: lost"]);
}
