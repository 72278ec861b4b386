//! Bodies both ways: as they come, at the speed of the slower side, and those that are not there.

use ropewalk_core::Transport;

use crate::scene::{Scene, get, names, value};

#[test]
fn a_request_passes_before_it_is_whole_and_a_response_too() {
    let mut scene = Scene::new();
    let client = scene.client();
    let passed = scene.ask(
        &client,
        "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
    );
    assert!(passed.ends_with("\r\n\r\n3\r\none\r\n"), "{passed}");
    let server = scene.server();
    scene.say(&client, "3\r\ntwo\r\n");
    assert_eq!(server.take(), "3\r\ntwo\r\n");
    scene.say(&client, "0\r\nX-Trailer: 1\r\n\r\n");
    assert_eq!(server.take(), "0\r\n\r\n", "trailers stay behind");
    let heard = scene.answer(
        &client,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n",
    );
    assert!(heard.ends_with("\r\n\r\n3\r\ntea\r\n"), "{heard}");
    assert_eq!(
        scene.answer(&client, "2\r\n!!\r\n0\r\n\r\n"),
        "2\r\n!!\r\n0\r\n\r\n"
    );
    // Both connections serve the next request.
    scene.ask(
        &client,
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntea",
    );
    assert!(
        scene
            .answer(
                &client,
                "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
            )
            .ends_with("\r\n\r\nok")
    );
    assert_eq!(scene.servers().len(), 1);
}

#[test]
fn what_the_server_does_not_read_stays_with_the_client() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(
        &client,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000000\r\n\r\n",
    );
    let server = scene.server();
    server.transport().pause_reading();
    let sender = client.transport();
    for _ in 0..16 {
        sender.write(vec![b'x'; 1_000_000]);
    }
    scene.run(20);
    let left = sender.unsent_bytes();
    assert!(
        left > 14_000_000,
        "the proxy took {} bytes",
        16_000_000 - left
    );
    server.transport().resume_reading();
    scene.run(50);
    assert!(
        server.heard_bytes() > 16_000_000,
        "{}",
        server.heard_bytes()
    );
    assert!(
        scene
            .answer(&client, "HTTP/1.1 204 No Content\r\n\r\n")
            .starts_with("HTTP/1.1 204 ")
    );
}

#[test]
fn what_the_client_does_not_read_stays_with_the_server() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(&client, &get(""));
    client.transport().pause_reading();
    let server = scene.server();
    let sender = server.transport();
    sender.write("HTTP/1.1 200 OK\r\nContent-Length: 16000000\r\n\r\n");
    for _ in 0..16 {
        sender.write(vec![b'x'; 1_000_000]);
    }
    scene.run(20);
    let left = sender.unsent_bytes();
    assert!(
        left > 14_000_000,
        "the proxy took {} bytes",
        16_000_000 - left
    );
    client.transport().resume_reading();
    scene.run(50);
    assert!(
        client.heard_bytes() > 16_000_000,
        "{}",
        client.heard_bytes()
    );
}

#[test]
fn heads_without_bodies_keep_their_meaning() {
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, response, length) in [
        (
            head,
            "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
            Some("12345"),
        ),
        (
            head,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            None,
        ),
        (
            head,
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Some("0"),
        ),
        (
            &*get("If-None-Match: \"x\"\r\n"),
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 500\r\n\r\n",
            None,
        ),
        (&*get(""), "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", None),
        (
            &*get(""),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Some("0"),
        ),
    ] {
        let mut scene = Scene::new();
        let client = scene.client();
        scene.ask(&client, request);
        let heard = scene.answer(&client, response);
        assert!(
            heard.ends_with("\r\n\r\n") && heard.matches("\r\n\r\n").count() == 1,
            "{heard}"
        );
        assert_eq!(heard[..12], response[..12]);
        assert_eq!(value(&heard, "Content-Length"), length, "{heard}");
        assert!(
            !names(&heard).iter().any(|name| name == "transfer-encoding"),
            "{heard}"
        );
        // Nothing is left over: the next response is the next.
        scene.ask(&client, &get(""));
        let next = scene.answer(&client, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
        assert!(
            next.starts_with("HTTP/1.1 200 ") && next.ends_with("\r\n\r\nnext"),
            "{next}"
        );
        assert_eq!(scene.servers().len(), 1);
    }
}

#[test]
fn interim_responses_pass_before_the_response() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(&client, &get(""));
    let hints = scene.answer(
        &client,
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n",
    );
    assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    let rest = scene.answer(&client, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntea");
    assert!(
        rest.starts_with("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{rest}"
    );
    let client = scene.client();
    scene.ask(&client, "GET / HTTP/1.0\r\n\r\n");
    let old = scene.answer(&client, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntea");
    assert!(old.starts_with("HTTP/1.1 200 "), "HTTP/1.0 has none: {old}");
}

const WAITS: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";

#[test]
fn r136_a_body_is_asked_for_when_the_server_wants_it() {
    let mut scene = Scene::new();
    let client = scene.client();
    client.transport().write(WAITS);
    scene.world.run_for(std::time::Duration::from_millis(500));
    let server = scene.server();
    assert_eq!(value(&server.take(), "Expect"), Some("100-continue"));
    assert_eq!(client.take(), "", "nobody has asked for the body");
    server.transport().write("HTTP/1.1 100 Continue\r\n\r\n");
    scene.world.run_for(std::time::Duration::from_millis(200));
    assert_eq!(client.take(), "HTTP/1.1 100 Continue\r\n\r\n");
    scene.say(&client, "tea");
    assert_eq!(server.take(), "tea");
    assert!(
        scene
            .answer(&client, "HTTP/1.1 204 No Content\r\n\r\n")
            .starts_with("HTTP/1.1 204 ")
    );
}

#[test]
fn r136_a_body_that_the_server_refuses_is_never_asked_for() {
    let mut scene = Scene::new();
    let client = scene.client();
    client.transport().write(WAITS);
    scene.world.run_for(std::time::Duration::from_millis(300));
    scene
        .server()
        .transport()
        .write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    scene.world.run_for(std::time::Duration::from_millis(300));
    let heard = client.take();
    assert!(
        heard.starts_with("HTTP/1.1 413 ") && !heard.contains("100 Continue"),
        "{heard}"
    );
    assert_eq!(
        value(&heard, "Connection"),
        Some("close"),
        "the body may come or not: {heard}"
    );
    scene.run(5);
    assert!(client.is_ended() && scene.server().is_ended());
}

#[test]
fn a_server_that_knows_no_expectations_is_not_waited_for_long() {
    let mut scene = Scene::new();
    let client = scene.client();
    client.transport().write(WAITS);
    scene.run(2);
    assert_eq!(client.take(), "HTTP/1.1 100 Continue\r\n\r\n");
    scene.say(&client, "tea");
    assert!(scene.server().take().ends_with("\r\n\r\ntea"));
}

#[test]
fn a_response_without_end_of_its_own_passes_in_chunks() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(&client, &get(""));
    let heard = scene.answer(&client, "HTTP/1.0 200 OK\r\n\r\nall that ");
    assert!(heard.ends_with("\r\n\r\n9\r\nall that \r\n"), "{heard}");
    let close = Transport::lose_connection;
    let server = scene.server();
    server.transport().write("there is");
    close(&server.transport());
    scene.settle();
    assert_eq!(client.take(), "8\r\nthere is\r\n0\r\n\r\n");
}
