//! What passes of a head, and what does not.

use ropewalk_web::{Branch, Site, TrustedProxies};

use crate::scene::{Scene, get, names, value};

const DONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[test]
fn options_goes_as_far_as_it_says() {
    let mut scene = Scene::new();
    let client = scene.client();
    let options = |hops: &str| get(hops).replace("GET ", "OPTIONS ");
    let passed = scene.ask(&client, &options("Max-Forwards: 2\r\n"));
    assert_eq!(value(&passed, "max-forwards"), Some("1"), "{passed}");
    scene.answer(&client, DONE);
    client.transport().write(options("Max-Forwards: 0\r\n"));
    scene.settle();
    let answer = client.take();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(value(&answer, "Allow").is_some(), "{answer}");
    let passed = scene.ask(&client, &get("Max-Forwards: 0\r\n"));
    assert_eq!(value(&passed, "max-forwards"), Some("0"), "of OPTIONS only");
}

#[test]
fn fields_of_one_hop_stay_on_their_side() {
    let mut scene = Scene::new();
    let client = scene.client();
    let passed = scene.ask(
        &client,
        &get("Connection: keep-alive, X-Mine,,x-also\r\nConnection: X-Third\r\nX-Mine: 1\r\nX-Also: 1\r\nx-third: 1\r\n\
              Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers\r\n\
              Trailer: X-T\r\nUpgrade: own\r\nHTTP2-Settings: AAAA\r\nProxy: http://evil/\r\nX-Yours: 2\r\nCookie: a=b\r\n"),
    );
    let wanted = [
        "x-yours",
        "cookie",
        "host",
        "x-forwarded-for",
        "x-real-ip",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "via",
    ];
    let mut wanted = wanted.map(str::to_owned).to_vec();
    let mut told = names(&passed);
    told.sort();
    wanted.sort();
    assert_eq!(
        told, wanted,
        "also no User-Agent and no Accept-Encoding: {passed}"
    );
    let heard = scene.answer(
        &client,
        "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\n\
         Trailer: X-T\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: own\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\nX-T: 1\r\n\r\n",
    );
    let told = names(&heard);
    let count = |name: &str| told.iter().filter(|other| *other == name).count();
    for name in [
        "x-hop",
        "keep-alive",
        "proxy-authenticate",
        "trailer",
        "connection",
    ] {
        assert_eq!(count(name), 0, "{name}: {heard}");
    }
    assert_eq!(
        (count("set-cookie"), count("date"), count("server")),
        (2, 1, 1),
        "{heard}"
    );
    assert_eq!(value(&heard, "Date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert!(
        heard.ends_with("\r\n\r\n3\r\ntea\r\n0\r\n\r\n"),
        "trailers are dropped: {heard}"
    );
}

#[test]
fn a_server_is_told_for_whom_the_proxy_asks() {
    let mut scene = Scene::new();
    let client = scene.client();
    let claims = "X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n";
    let passed = scene.ask(&client, &get(claims));
    let ip = client.transport().host().ip().unwrap().to_string();
    assert!(
        !passed.contains("9.9.9.9") && !passed.contains("evil"),
        "{passed}"
    );
    assert_eq!(value(&passed, "X-Forwarded-For"), Some(&*ip));
    assert_eq!(value(&passed, "X-Real-IP"), Some(&*ip));
    assert_eq!(value(&passed, "X-Forwarded-Proto"), Some("http"));
    assert_eq!(value(&passed, "X-Forwarded-Host"), Some("a"));
    assert_eq!(
        value(&passed, "Forwarded"),
        Some(&*format!("for={ip};host=a;proto=http"))
    );
    assert_eq!(value(&passed, "Via"), Some("1.1 ropewalk"));
    // A proxy before us that is trusted goes on with its list.
    let trusted = |resource| {
        let all = "0.0.0.0/0".parse().unwrap();
        Site::new(resource).with_trusted_proxies(TrustedProxies::x_forwarded(all))
    };
    let mut scene = Scene::with("http://10.0.0.1", |proxy| proxy, trusted);
    let client = scene.client();
    let passed = scene.ask(&client, &get(&format!("{claims}Via: 1.0 first\r\n")));
    assert_eq!(
        value(&passed, "X-Forwarded-For"),
        Some(&*format!("9.9.9.9, {ip}"))
    );
    assert_eq!(value(&passed, "X-Real-IP"), Some("9.9.9.9"));
    assert_eq!(value(&passed, "X-Forwarded-Proto"), Some("https"));
    assert_eq!(value(&passed, "Via"), Some("1.0 first, 1.1 ropewalk"));
    let old = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
    let client = scene.client();
    let passed = scene.ask(&client, old);
    assert_eq!(value(&passed, "Via"), Some("1.0 ropewalk"));
}

#[test]
fn the_host_is_the_one_that_we_understood() {
    for (request, host, path) in [
        (
            "GET /x HTTP/1.1\r\nHost: tea.example:81\r\n\r\n",
            "tea.example:81",
            "/x",
        ),
        (
            "GET http://coffee.example/x HTTP/1.1\r\nHost: tea.example\r\n\r\n",
            "coffee.example",
            "/x",
        ),
        (
            "GET http://coffee.example/x HTTP/1.1\r\nHost: tea.example\r\nConnection: Host\r\n\r\n",
            "coffee.example",
            "/x",
        ),
        ("GET /x HTTP/1.0\r\n\r\n", "10.0.0.1", "/x"),
        (
            "GET http://coffee.example?q HTTP/1.1\r\nHost: coffee.example\r\n\r\n",
            "coffee.example",
            "/?q",
        ),
    ] {
        let mut scene = Scene::new();
        let client = scene.client();
        let passed = scene.ask(&client, request);
        assert_eq!(value(&passed, "Host"), Some(host), "{passed}");
        assert_eq!(
            names(&passed).iter().filter(|name| *name == "host").count(),
            1,
            "{passed}"
        );
        assert!(
            passed.starts_with(&format!("GET {path} HTTP/1.1\r\n")),
            "{passed}"
        );
    }
}

#[test]
fn a_path_passes_as_it_was_sent_below_the_base() {
    let mut scene = Scene::with(
        "http://10.0.0.1/app/",
        |proxy| Branch::new().with_child("shop", proxy),
        Site::new,
    );
    for (path, wanted) in [
        ("/shop", "/app"),
        ("/shop/", "/app/"),
        (
            "/shop/a%2Fb;c=d//e?f=%3F&g=/../h",
            "/app/a%2Fb;c=d//e?f=%3F&g=/../h",
        ),
        ("/shop//evil.example/x", "/app//evil.example/x"),
        ("/shop/@evil.example:81/x", "/app/@evil.example:81/x"),
        ("/shop/%00%0d%0a%ff", "/app/%00%0d%0a%ff"),
        ("/shop/...", "/app/..."),
        ("/shop?", "/app?"),
    ] {
        let client = scene.client();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let passed = scene.ask(&client, &request);
        assert!(
            passed.starts_with(&format!("GET {wanted} HTTP/1.1\r\n")),
            "{path}: {passed}"
        );
        assert!(
            scene.answer(&client, DONE).starts_with("HTTP/1.1 200 "),
            "{path}"
        );
    }
}

#[test]
fn a_path_that_could_lead_elsewhere_does_not_pass() {
    let mut scene = Scene::new();
    for target in [
        "/..",
        "/../x",
        "/a/../b",
        "/a/%2e%2E/b",
        "/.%2e/b",
        "/%2e/b",
        "/./b",
        "/a%5c..%5cb",
        "/a/..%5cb",
    ] {
        let client = scene.client();
        let passed = scene.ask(
            &client,
            &format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
        );
        assert_eq!(passed, "", "{target}");
        assert!(client.take().starts_with("HTTP/1.1 400 "), "{target}");
    }
    for request in [
        "CONNECT evil.example:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
        "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let client = scene.client();
        assert_eq!(scene.ask(&client, request), "", "{request}");
        let heard = client.take();
        assert!(
            heard.starts_with("HTTP/1.1 501 ") || heard.starts_with("HTTP/1.1 400 "),
            "{request}: {heard}"
        );
    }
    assert!(scene.servers().is_empty());
}

/// RFC 9112 11.2: whatever two readers could understand in two ways is refused, or passed on in one.
#[test]
fn no_request_hides_in_another() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let smuggling = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 \r\nContent-Length : 0\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\r\n: 5\r\n",
        "Content-Length:\r\n 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\nContent-Length: 3\r\n",
        "Host: b\r\n",
    ];
    for fields in smuggling {
        let mut scene = Scene::new();
        let client = scene.client();
        let passed = scene.ask(
            &client,
            &format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{hidden}"),
        );
        assert_eq!(passed, "", "{fields:?} was passed on");
        let heard = client.take();
        assert!(
            heard.starts_with("HTTP/1.1 400 ") || heard.starts_with("HTTP/1.1 501 "),
            "{fields:?}: {heard}"
        );
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{fields:?}: {heard}");
        assert!(client.is_ended(), "{fields:?}");
    }
    // Whose framing the client wants dropped keeps it, and a body is a body whatever it says.
    for (fields, body, wanted) in [
        (
            "Connection: Content-Length\r\nContent-Length: 33\r\n",
            hidden.to_owned(),
            format!("\r\n\r\n{hidden}"),
        ),
        (
            "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
            format!("21;x=\"y\"\r\n{hidden}\r\n0\r\n\r\n"),
            format!("21\r\n{hidden}\r\n0\r\n\r\n"),
        ),
    ] {
        assert_eq!(hidden.len(), 33);
        let mut scene = Scene::new();
        let client = scene.client();
        let passed = scene.ask(
            &client,
            &format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}"),
        );
        assert!(passed.ends_with(&wanted), "{passed}");
        let framed = ["content-length", "transfer-encoding"]
            .map(|name| names(&passed).iter().filter(|other| *other == name).count());
        assert_eq!(framed.iter().sum::<usize>(), 1, "{passed}");
        assert_eq!(scene.servers().len(), 1);
    }
}

#[test]
fn one_client_never_hears_what_another_asked_for() {
    let mut scene = Scene::new();
    let [first, second] = [(); 2].map(|()| scene.client());
    scene.ask(&first, &get(""));
    let one = scene.answer(&first, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    assert!(one.ends_with("\r\n\r\nfirst"), "{one}");
    scene.ask(&second, &get(""));
    assert_eq!(
        scene.servers().len(),
        2,
        "a connection on which more came is not used again"
    );
    assert!(
        scene
            .answer(
                &second,
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"
            )
            .ends_with("\r\n\r\nsecond")
    );
}
