//! Proxies, and connections that become another protocol's.

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_core::{Protocol, Reactor, Transport};
use ropewalk_web::{Agent, Proxies};

use crate::scene::{Diary, HOST, always, field, page, play, run};

fn proxied(answer: impl Fn(&Transport, &str) + 'static) -> (Reactor, Rc<RefCell<Vec<String>>>) {
    let (mut reactor, _) = always("");
    let seen: Rc<RefCell<Vec<String>>> = Rc::default();
    let ours = Rc::clone(&seen);
    let diary = Diary::default();
    play(
        &mut reactor,
        "tcp:10.0.0.1:3128",
        &diary,
        move |transport, _, _, request| {
            ours.borrow_mut().push(request.to_owned());
            answer(transport, request);
        },
    );
    (reactor, seen)
}

fn proxies() -> Proxies {
    Proxies::all("http://me:pass@10.0.0.1:3128").unwrap()
}

#[test]
fn a_proxy_gets_the_whole_url_and_its_own_credentials() {
    let (mut reactor, seen) = proxied(|transport, _| transport.write(page("tea")));
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle).with_proxies(proxies());
        for url in ["http://a.example/x?y#z", "http://b.example:81"] {
            assert_eq!(agent.get(url).await.unwrap().text().await.unwrap(), "tea");
        }
        assert_eq!(
            agent.connections(),
            1,
            "both went over one connection to the proxy"
        );
    });
    let seen = seen.take();
    assert!(
        seen[0].starts_with("GET http://a.example/x?y HTTP/1.1\r\n"),
        "{seen:?}"
    );
    assert_eq!(field(&seen[0], "Host"), Some("a.example"));
    assert_eq!(
        field(&seen[0], "Proxy-Authorization"),
        Some("Basic bWU6cGFzcw==")
    );
    assert!(seen[1].starts_with("GET http://b.example:81/ HTTP/1.1\r\n"));
}

#[test]
fn excepted_hosts_are_asked_directly() {
    let (mut reactor, seen) = proxied(|transport, _| transport.write(page("tea")));
    play(
        &mut reactor,
        "tcp:10.0.0.1:81",
        &Diary::default(),
        |transport, _, _, request| {
            assert!(request.starts_with("GET / HTTP/1.1") && !request.contains("Proxy-"));
            transport.write(page("direct"));
        },
    );
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle).with_proxies(proxies().except("10.0.0.1"));
        let text = agent.get("http://10.0.0.1:81").await.unwrap().text().await;
        assert_eq!(text.unwrap(), "direct");
    });
    assert!(seen.borrow().is_empty());
}

/// Says what came, twice.
struct Twice(Rc<RefCell<Vec<u8>>>);

impl Protocol for Twice {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("made");
    }
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().extend_from_slice(data);
    }
}

#[test]
fn an_upgraded_connection_belongs_to_another_protocol() {
    let (mut reactor, _) = always("");
    let heard: Rc<RefCell<Vec<u8>>> = Rc::default();
    struct Upgrades(Rc<RefCell<Vec<u8>>>);
    impl Protocol for Upgrades {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            if data.starts_with(b"GET") {
                let text = String::from_utf8_lossy(data);
                assert_eq!(field(&text, "Connection"), Some("upgrade"));
                transport
                    .write("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\nbehind");
            } else {
                self.0.borrow_mut().extend_from_slice(data);
                transport.write(" more");
            }
        }
    }
    let at_server = Rc::clone(&heard);
    reactor
        .listen("tcp:10.0.0.1:81", move || Upgrades(Rc::clone(&at_server)))
        .unwrap();
    let ours: Rc<RefCell<Vec<u8>>> = Rc::default();
    let told = Rc::clone(&ours);
    run(&mut reactor, move |handle| async move {
        let agent = Agent::new(&handle);
        let upgrade = || agent.get("ws://10.0.0.1:81/chat").header("Upgrade", "own");
        let mut response = upgrade().await.unwrap();
        assert_eq!(response.status(), 101);
        assert_eq!(agent.connections(), 0, "it is not the agent's any more");
        let upgraded = response.take_upgraded().unwrap();
        crate::scene::pause(&handle, 1).await;
        upgraded.switch_protocol(Twice(told));
        crate::scene::pause(&handle, 1).await;
        drop(upgrade().await.unwrap());
    });
    assert_eq!(ours.take(), b"behind more");
    assert_eq!(heard.take(), b"made");
}

#[test]
fn an_upgrade_goes_through_a_tunnel() {
    let (mut reactor, seen) = proxied(|transport, request| match request.starts_with("CONNECT") {
        true => transport.write("HTTP/1.1 200 OK\r\n\r\n"),
        false => transport.write("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: own\r\n\r\n"),
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle).with_proxies(proxies());
        let response = agent
            .get("ws://a.example/chat")
            .header("Upgrade", "own")
            .await;
        assert_eq!(response.unwrap().status(), 101);
    });
    let seen = seen.take();
    assert!(
        seen[0].starts_with("CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n"),
        "{seen:?}"
    );
    assert_eq!(
        field(&seen[0], "Proxy-Authorization"),
        Some("Basic bWU6cGFzcw==")
    );
    assert!(
        seen[1].starts_with("GET /chat HTTP/1.1\r\nHost: a.example\r\n"),
        "{seen:?}"
    );
    assert!(
        !seen[1].contains("Proxy-Authorization"),
        "only the proxy is told"
    );
}

#[test]
fn what_a_proxy_says_that_opens_no_tunnel_is_told() {
    for (answer, told) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "407",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
            "502",
        ),
        ("nonsense\r\n\r\n", "rules of HTTP"),
    ] {
        let (mut reactor, _) = proxied(move |transport, _| transport.write(answer));
        run(&mut reactor, move |handle| async move {
            let agent = Agent::new(&handle).with_proxies(proxies());
            let request = agent.get(HOST).header("Upgrade", "own");
            let error = request.await.unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
            assert!(error.tunnel().is_some(), "{error}");
            assert_eq!(agent.connections(), 0);
        });
    }
}
