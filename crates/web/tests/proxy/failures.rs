//! Servers that are not there, slow, broken or gone, and clients that leave.

use std::time::Duration;

use ropewalk_web::ReverseProxy;

use crate::scene::{Scene, get, value};

#[test]
fn a_server_that_refuses_or_does_not_answer_is_bad_or_slow() {
    let mut scene = Scene::with("http://10.0.0.1:81", |proxy| proxy, ropewalk_web::Site::new);
    let client = scene.client();
    scene.ask(&client, &get(""));
    let heard = client.take();
    assert!(heard.starts_with("HTTP/1.1 502 "), "{heard}");
    assert!(!client.is_ended(), "the client may go on");
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(&client, &get(""));
    scene.run(55);
    assert_eq!(client.take(), "");
    scene.run(10);
    let heard = client.take();
    assert!(heard.starts_with("HTTP/1.1 504 "), "{heard}");
    let mut soon = Scene::of(|proxy| proxy.with_timeout(Duration::from_secs(2)));
    let hasty = soon.client();
    soon.ask(&hasty, &get(""));
    soon.run(2);
    assert!(hasty.take().starts_with("HTTP/1.1 504 "));
    assert!(
        !heard.contains("10.0.0.1"),
        "what is behind is nobody's business: {heard}"
    );
    assert!(!client.is_ended() && scene.server().is_lost());
}

#[test]
fn a_head_that_comes_byte_by_byte_is_too_slow() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(&client, &get(""));
    let server = scene.server();
    for byte in "HTTP/1.1 200 OK\r\nX-Slow: drip".chars() {
        server.transport().write(byte.to_string());
        scene.run(3);
    }
    assert!(client.take().starts_with("HTTP/1.1 504 "));
}

#[test]
fn a_server_that_leaves_before_or_in_the_head_is_bad() {
    for (said, aborts) in [
        ("", false),
        ("", true),
        ("HTTP/1.1 200 OK\r\nX: ", false),
        ("HTTP/1.1 200 OK\r\nX: ", true),
        ("HTTP/1.1 103 x\r\n\r\n", false),
    ] {
        let mut scene = Scene::new();
        let client = scene.client();
        scene.ask(&client, &get(""));
        let server = scene.server().transport();
        server.write(said);
        scene.settle();
        match aborts {
            true => server.abort_connection(),
            false => server.lose_connection(),
        }
        scene.settle();
        let heard = client.take();
        let last = heard.rsplit("\r\n\r\nHTTP").next().unwrap();
        assert!(last.contains("/1.1 502 "), "{said:?}: {heard}");
        assert!(!client.is_ended());
    }
}

#[test]
fn a_server_that_breaks_the_rules_is_bad() {
    for response in [
        "garbage\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nteas",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 3\n\ntea",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n",
    ] {
        let mut scene = Scene::new();
        let heard = scene.exchange(&get(""), response);
        assert!(heard.starts_with("HTTP/1.1 502 "), "{response:?}: {heard}");
        assert!(scene.server().is_ended());
    }
}

#[test]
fn a_response_that_is_cut_never_looks_complete() {
    let cuts = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "part"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "4\r\npart\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "4\r\npart\r\n0\r\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "4\r\npart\r\nxyz\r\n",
        ),
    ];
    for (head, part) in cuts {
        for aborts in [false, true] {
            for request in [get(""), "GET / HTTP/1.0\r\n\r\n".to_owned()] {
                let mut scene = Scene::new();
                let client = scene.client();
                scene.ask(&client, &request);
                let server = scene.server().transport();
                server.write(head);
                server.write(part);
                scene.settle();
                match aborts {
                    true => server.abort_connection(),
                    false => server.lose_connection(),
                }
                scene.settle();
                let heard = client.take();
                assert!(!heard.contains("\r\n0\r\n"), "{heard}");
                assert!(client.is_reset(), "{head:?}, {part:?}: not even by its end");
            }
        }
    }
}

#[test]
fn a_body_that_stops_is_cut_after_a_while() {
    let mut scene = Scene::new();
    let heard = scene.exchange(&get(""), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart");
    assert!(heard.ends_with("part"));
    scene.run(62);
    assert!(scene.server().is_lost());
}

#[test]
fn when_the_client_leaves_so_does_the_proxy() {
    let said = [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\npart",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        "HTTP/1.1 200 OK\r\n\r\npart",
    ];
    for said in said {
        let mut scene = Scene::new();
        let client = scene.client();
        scene.ask(&client, &get(""));
        let server = scene.server();
        scene.say(&server, said);
        assert!(!server.is_ended());
        client.transport().abort_connection();
        scene.settle();
        assert!(server.is_ended(), "{said:?}: the server works for nobody");
    }
    // In the middle of its own body, too.
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(
        &client,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\npart",
    );
    client.transport().abort_connection();
    scene.settle();
    assert!(scene.server().is_reset(), "what came is not whole");
}

#[test]
fn a_client_that_cuts_or_garbles_its_body_is_never_passed_on_as_whole() {
    for rest in [
        "xyz\r\n",
        "-1\r\n",
        "3 \r\ntea\r\n",
        "0\r\nContent-Length: 3\r\n\r\n",
    ] {
        let mut scene = Scene::new();
        let client = scene.client();
        scene.ask(
            &client,
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
        );
        let server = scene.server();
        scene.say(&client, rest);
        assert!(!server.take().contains("0\r\n\r\n"), "{rest:?}");
        assert!(server.is_reset(), "{rest:?}");
        assert!(
            client.take().starts_with("HTTP/1.1 400 ") && client.is_ended(),
            "{rest:?}"
        );
    }
}

#[test]
fn an_early_answer_passes_and_ends_what_is_not_read() {
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(
        &client,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\npart",
    );
    let heard = scene.answer(
        &client,
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
    );
    assert!(
        heard.starts_with("HTTP/1.1 403 ") && heard.ends_with("\r\n\r\nno"),
        "{heard}"
    );
    client.transport().write(vec![b'x'; 1_000_000]);
    scene.run(15);
    assert!(client.is_ended(), "it is not read to its end");
}

#[test]
fn r168_only_what_may_be_repeated_is_asked_again() {
    for (method, is_repeated) in [
        ("GET", true),
        ("PUT", true),
        ("DELETE", true),
        ("POST", false),
        ("PATCH", false),
    ] {
        let mut scene = Scene::new();
        scene.exchange(&get(""), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        let stale = scene.server();
        let client = scene.client();
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        scene.ask(&client, &request);
        assert_eq!(scene.servers().len(), 1, "the connection is used again");
        stale.transport().abort_connection();
        scene.settle();
        assert_eq!(
            scene.servers().len(),
            1 + usize::from(is_repeated),
            "{method}"
        );
        if !is_repeated {
            assert!(client.take().starts_with("HTTP/1.1 502 "), "{method}");
        }
    }
    // What was sent with a body, or over a new connection, is never sent twice.
    let mut scene = Scene::new();
    scene.exchange(&get(""), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let client = scene.client();
    scene.ask(
        &client,
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntea",
    );
    scene.server().transport().abort_connection();
    scene.settle();
    assert!(client.take().starts_with("HTTP/1.1 502 "));
    assert_eq!(scene.servers().len(), 1);
}

#[test]
fn h1_16_a_body_above_the_limit_is_refused_and_never_passed_as_whole() {
    let mut scene = Scene::of(|proxy| proxy.with_body_limit(10));
    let client = scene.client();
    let passed = scene.ask(
        &client,
        "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n",
    );
    let heard = client.take();
    assert!(
        heard.starts_with("HTTP/1.1 413 ") && passed.is_empty(),
        "{heard}"
    );
    let client = scene.client();
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let passed = scene.ask(&client, &format!("{head}a\r\n0123456789\r\n"));
    assert!(passed.ends_with("a\r\n0123456789\r\n"), "{passed}");
    scene.say(&client, "1\r\nx\r\n0\r\n\r\n");
    let heard = client.take();
    assert!(heard.starts_with("HTTP/1.1 413 "), "{heard}");
    assert!(scene.server().is_reset() && scene.server().take().is_empty());
    let client = scene.client();
    scene.ask(&client, &format!("{head}a\r\n0123456789\r\n0\r\n\r\n"));
    assert!(scene.server().take().is_empty(), "all has come");
    let heard = scene.answer(&client, "HTTP/1.1 204 No Content\r\n\r\n");
    assert!(heard.starts_with("HTTP/1.1 204 "), "{heard}");
}

#[test]
fn limits_of_the_agent_are_those_of_the_proxy() {
    let few = |proxy: ReverseProxy| {
        proxy.with_agent(|agent| {
            let mut limits = ropewalk_web::AgentLimits::default();
            (limits.connections_per_host, limits.first_byte) = (1, Duration::from_secs(5));
            agent.with_limits(limits)
        })
    };
    let mut scene = Scene::of(few);
    let [first, second] = [(); 2].map(|()| scene.client());
    scene.ask(&first, &get(""));
    scene.ask(&second, &get(""));
    assert_eq!(scene.servers().len(), 1, "the second waits in line");
    scene.run(5);
    assert!(first.take().starts_with("HTTP/1.1 504 "));
    assert_eq!(scene.servers().len(), 2);
    let heard = scene.answer(&second, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(value(&heard, "Content-Length"), Some("2"));
}
