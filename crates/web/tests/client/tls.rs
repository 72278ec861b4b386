//! HTTPS: directly, and through a proxy's tunnel.

use ropewalk_core::{Factory, Protocol, Reactor, Transport};
use ropewalk_sim::SimDriver;
use ropewalk_tls::{
    Certificates, ClientOptions, Roots, ServerOptions, TlsFactory, TlsFacts, TlsServer,
};
use ropewalk_web::{Agent, Proxies};

use crate::scene::{Diary, page, run, server};

/// A server of `a.example` at 10.0.0.1:443, and the roots that trust it.
fn secured() -> (Reactor, Roots) {
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let options = ServerOptions::new(Certificates::from_pem(&cert, &key).unwrap());
    let tls = TlsServer::new(options.alpn(["h2", "http/1.1"])).unwrap();
    let driver = SimDriver::alone(1);
    driver
        .world()
        .name("a.example", ["10.0.0.1".parse().unwrap()]);
    driver
        .world()
        .name("b.example", ["10.0.0.1".parse().unwrap()]);
    let mut reactor = Reactor::new(driver);
    let answer = server(&Diary::default(), |transport, _, _, _| {
        let facts = transport.fact::<TlsFacts>().unwrap();
        transport.write(page(facts.alpn.as_deref().unwrap_or("none")));
    });
    reactor
        .listen("tcp:10.0.0.1:443", TlsFactory::server(&tls, answer))
        .unwrap();
    (reactor, Roots::from_pem(&cert).unwrap())
}

#[test]
fn https_is_checked_and_speaks_http_1_1() {
    let (mut reactor, roots) = secured();
    run(&mut reactor, move |handle| async move {
        let agent = Agent::new(&handle);
        let agent = agent.with_tls(ClientOptions::new(roots)).unwrap();
        for _ in 0..2 {
            let response = agent.get("https://a.example/").await.unwrap();
            assert_eq!(response.text().await.unwrap(), "http/1.1");
        }
        assert_eq!(agent.connections(), 1);
        let error = agent.get("https://b.example/").await.unwrap_err();
        assert!(error.to_string().contains("handshake"), "{error}");
        assert!(error.to_string().contains("b.example"), "{error}");
    });
}

/// A proxy that knows one host.
struct Proxy(Option<Transport>, Vec<u8>);

/// The other side of its tunnel.
struct Inside(Transport);

impl Protocol for Proxy {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if let Some(other) = &self.0 {
            return other.write(data);
        }
        self.1.extend_from_slice(data);
        if !self.1.ends_with(b"\r\n\r\n") {
            return;
        }
        assert!(self.1.starts_with(b"CONNECT a.example:443 HTTP/1.1\r\n"));
        let inside = Inside(transport.clone());
        let connected = transport
            .reactor()
            .connect_protocol("tcp:10.0.0.1:443", inside);
        transport.when(connected, |this: &mut Self, transport, other| {
            this.0 = Some(other.unwrap());
            transport.write("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n");
        });
    }
}

impl Protocol for Inside {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.write(data);
    }
}

/// Over TCP, or TLS.
fn through(
    wrap: impl FnOnce(Box<dyn Factory>) -> Box<dyn Factory>,
    url: &'static str,
    more: Option<String>,
) {
    let (mut reactor, roots) = secured();
    let proxy = || Box::new(Proxy(None, Vec::new())) as Box<dyn Protocol>;
    reactor
        .listen("tcp:10.0.0.1:3128", wrap(Box::new(proxy)))
        .unwrap();
    run(&mut reactor, move |handle| async move {
        let roots = match more {
            Some(roots) => Roots::from_pem(roots).unwrap(),
            None => roots,
        };
        let agent = Agent::new(&handle).with_proxies(Proxies::all(url).unwrap());
        let agent = agent
            .with_tls(ClientOptions::new(roots).dangerous_accept_anyone())
            .unwrap();
        for _ in 0..2 {
            let response = agent.get("https://a.example/").await.unwrap();
            assert_eq!(response.text().await.unwrap(), "http/1.1");
        }
        assert_eq!(agent.connections(), 1);
    });
}

#[test]
fn https_goes_through_a_tunnel_with_tls_to_its_end() {
    through(|proxy| proxy, "http://10.0.0.1:3128", None);
}

#[test]
fn a_tunnel_may_itself_be_under_tls() {
    let made = rcgen::generate_simple_self_signed(["10.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let options = ServerOptions::new(Certificates::from_pem(&cert, &key).unwrap());
    let tls = TlsServer::new(options).unwrap();
    let wrap = move |proxy| Box::new(TlsFactory::server(&tls, proxy)) as Box<dyn Factory>;
    through(wrap, "https://10.0.0.1:3128", Some(cert));
}
