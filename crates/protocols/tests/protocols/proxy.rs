//! The PROXY protocol on the reactor: R115 of SEMANTICS, H1-26 of SECURITY.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Address, Factory, Layer, Limits, Protocol, Reason, SharedFactory, Transport};
use ropewalk_grammar::proxy::{Forwarded, ProxyAddress, Tlv, TlvList};
use ropewalk_protocols::wire::Echo;
use ropewalk_protocols::{
    AllowedPeers, LimitConnectionsByPeer, PortForwarder, ProxyFactory, ProxyHeader, ProxyLayer,
    ProxyVersion,
};
use ropewalk_sim::Rule;
use ropewalk_testing::{Chunks, StringTransport};

use crate::net::{Net, Shared};

const SECOND: Duration = Duration::from_secs(1);
const LINE: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n";

fn everybody() -> AllowedPeers {
    "0.0.0.0/0".parse().unwrap()
}

/// Writes down whom it serves and what they say.
struct Witness(Shared<Vec<String>>);

impl Protocol for Witness {
    fn connection_made(&mut self, transport: &Transport) {
        let told = transport.fact::<ProxyHeader>().is_some();
        let (peer, host) = (transport.peer(), transport.host());
        self.0
            .borrow_mut()
            .push(format!("{peer} at {host}, told {told}"));
        transport.write("hello");
    }
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().push(format!("{}", data.escape_ascii()));
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

fn binary(tlvs: TlvList) -> Vec<u8> {
    let address = |text: &str| ProxyAddress::Tcp(text.parse().unwrap());
    let (source, destination) = (address("[2001:db8::7]:5000"), address("[2001:db8::1]:443"));
    let mut out = Vec::new();
    let header = Forwarded {
        source,
        destination,
        tlvs,
    };
    ProxyHeader::Forwarded(header).send_v2(&mut out).unwrap();
    out
}

/// What the protocol behind a layer saw, and the transport.
fn behind_layer() -> (StringTransport, Shared<Vec<String>>) {
    let seen = Shared::<Vec<String>>::default();
    let witness = Witness(Rc::clone(&seen));
    let builder = StringTransport::builder().layer(ProxyLayer::default());
    (builder.protocol(witness), seen)
}

#[test]
fn r115_peer_and_host_are_the_forwarded_ones_and_bytes_those_behind_the_header() {
    let v4 = "tcp:192.0.2.7:5000 at tcp:198.51.100.1:443, told true";
    let v6 = "tcp:[2001:db8::7]:5000 at tcp:[2001:db8::1]:443, told true";
    for (header, first) in [(LINE.to_vec(), v4), (binary(TlvList::default()), v6)] {
        let stream = [&header, &b"PROXY is a word\r\n"[..]].concat();
        for cut in 1..stream.len() {
            let (mut peer, seen) = behind_layer();
            peer.receive_in_pieces(&stream, Chunks::cut_at(cut));
            peer.receive("");
            assert_eq!(peer.take_sent(), b"hello");
            let seen = seen.borrow();
            assert_eq!(seen[0], first);
            assert_eq!(seen[1..].concat(), "PROXY is a word\\r\\n", "cut at {cut}");
        }
        let (mut peer, seen) = behind_layer();
        peer.receive_in_pieces(&header[..header.len() - 1], Chunks::of(1));
        assert!(
            seen.borrow().is_empty() && peer.take_sent().is_empty(),
            "nothing before the last byte"
        );
        peer.receive(&header[header.len() - 1..]);
        assert_eq!(*seen.borrow(), [first]);
    }
}

#[test]
fn r115_local_and_unknown_keep_the_addresses_of_the_connection() {
    let mut local = Vec::new();
    ProxyHeader::Local.send_v2(&mut local).unwrap();
    for header in [&local[..], b"PROXY UNKNOWN\r\n"] {
        let (mut peer, seen) = behind_layer();
        peer.receive([header, b"hi"].concat());
        let own = "tcp:192.0.2.2:54321 at tcp:192.0.2.1:8000, told true";
        assert_eq!(*seen.borrow(), [own, "hi"]);
    }
}

#[test]
fn r115_unix_peers_are_told_by_their_names() {
    let unix = |name: &[u8]| ProxyAddress::Unix(name.into());
    let mut header = Vec::new();
    ProxyHeader::forwarded(unix(b"\0abstract"), unix(b"/run/web"))
        .send_v2(&mut header)
        .unwrap();
    let (mut peer, seen) = behind_layer();
    peer.receive(header);
    assert_eq!(
        *seen.borrow(),
        ["unix:@abstract at unix:/run/web, told true"]
    );
}

#[test]
fn r115_a_bad_header_ends_the_connection_with_place_and_rule() {
    let table: [(&[u8], &str); 3] = [
        (b"GET / HTTP/1.1\r\n", "byte 0 is G"),
        (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 05000 443\r\n",
            "at byte 34",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0b",
            "declares 11 bytes at byte 14",
        ),
    ];
    for (stream, said) in table {
        let (mut peer, seen) = behind_layer();
        peer.receive(stream);
        peer.receive("more");
        assert!(seen.borrow().is_empty() && peer.take_sent().is_empty());
        let error = peer.connect_error().expect("it ended");
        assert!(
            error.contains("misbehaved") && error.contains(said),
            "{error}"
        );
    }
}

#[test]
fn h1_26_a_header_cut_at_any_byte_never_reaches_the_protocol() {
    for header in [LINE.to_vec(), binary(TlvList::default())] {
        for cut in 0..header.len() {
            let (mut peer, seen) = behind_layer();
            peer.receive(&header[..cut]);
            peer.eof();
            assert!(seen.borrow().is_empty() && peer.take_sent().is_empty());
            let error = peer.connect_error().expect("it ended");
            let said = if cut == 0 {
                "closed cleanly"
            } else {
                "lost: unexpected end of file"
            };
            assert!(error.contains(said), "cut at {cut}: {error}");
        }
    }
}

#[test]
fn h1_26_a_slow_header_ends_with_the_handshake_deadline() {
    let mut net = Net::new(1);
    let seen = Shared::<Vec<String>>::default();
    let inner = Rc::clone(&seen);
    let limits = Limits {
        handshake: Some(3 * SECOND),
        ..Limits::default()
    };
    let factory = move || Witness(Rc::clone(&inner));
    net.listen_with(limits, ProxyFactory::new(factory, everybody()));
    let client = net.dial(&LINE[..20]);
    net.run_for(SECOND);
    let transport = client.borrow().transport.clone().unwrap();
    transport.write(&LINE[20..30]);
    net.run_for(Duration::from_millis(1900));
    assert!(client.borrow().is_connected());
    net.run_for(Duration::from_millis(200));
    assert!(
        !client.borrow().is_connected(),
        "more bytes do not put it off"
    );
    assert!(seen.borrow().is_empty());
}

/// Counts what it is asked.
struct Asked {
    accepted: usize,
    layered: usize,
}

impl Factory for Asked {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Echo))
    }
    fn accepts(&mut self, _: &Address) -> bool {
        self.accepted += 1;
        true
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        self.layered += 1;
        Vec::new()
    }
}

#[test]
fn h1_26_a_stranger_is_refused_before_anything_is_read() {
    for (from, known) in [("192.0.2.0/24,fd00::/8", false), ("10.0.0.1", true)] {
        let mut net = Net::new(1);
        let asked = SharedFactory::new(Asked {
            accepted: 0,
            layered: 0,
        });
        net.listen(ProxyFactory::new(asked.clone(), from.parse().unwrap()));
        let client = net.dial([LINE, b"hello"].concat());
        net.run_for(SECOND);
        let counts = asked.with(|asked| (asked.accepted, asked.layered));
        assert_eq!(counts, (usize::from(known), usize::from(known)));
        assert_eq!(
            client.borrow().bytes,
            if known { &b"hello"[..] } else { b"" }
        );
        assert_eq!(client.borrow().is_connected(), known);
    }
}

#[test]
fn a_limit_by_peer_behind_a_proxy_counts_the_proxy_up_and_down() {
    let mut net = Net::new(1);
    let limit = SharedFactory::new(LimitConnectionsByPeer::new(|| Echo).with_limit(2));
    net.listen(ProxyFactory::new(limit.clone(), everybody()));
    let proxy = "10.0.0.1".parse().unwrap();
    for _ in 0..5 {
        let client = net.dial([LINE, b"hello"].concat());
        net.run_for(SECOND);
        assert_eq!(client.borrow().bytes, b"hello");
        assert_eq!(limit.with(|limit| limit.connections(proxy)), 1);
        let transport = client.borrow().transport.clone().unwrap();
        transport.lose_connection();
        net.run_for(SECOND);
        assert_eq!(limit.with(|limit| limit.connections(proxy)), 0);
    }
}

#[test]
fn a_forwarder_tells_for_whom_it_connects_in_both_versions_and_any_split() {
    for version in [ProxyVersion::V1, ProxyVersion::V2] {
        let mut net = Net::new(1);
        net.world.install(Rule::everywhere().split(1..=3));
        let seen = Shared::<Vec<String>>::default();
        let inner = Rc::clone(&seen);
        let server = ProxyFactory::new(move || Witness(Rc::clone(&inner)), everybody());
        net.reactor.listen("tcp:7001", server).unwrap();
        let forwarder = PortForwarder::new("tcp:10.0.0.1:7001").unwrap();
        net.listen(forwarder.with_proxy_header(version));
        let client = net.dial("bytes");
        net.run_for(SECOND);
        let own = client.borrow().transport.clone().unwrap().host().clone();
        let first = format!("{own} at tcp:10.0.0.1:7000, told true");
        assert_eq!(seen.borrow()[0], first);
        assert_eq!(seen.borrow()[1..].concat(), "bytes");
        assert_eq!(client.borrow().bytes, b"hello");
    }
}

/// Keeps the name that the client asked for.
struct Names(Rc<RefCell<Vec<String>>>);

impl Protocol for Names {
    fn connection_made(&mut self, transport: &Transport) {
        let header = transport.fact::<ProxyHeader>();
        let Some(ProxyHeader::Forwarded(forwarded)) = header.as_deref() else {
            return;
        };
        let name = forwarded.tlvs.authority().unwrap_or("none");
        self.0
            .borrow_mut()
            .push(format!("{name} for {}", transport.peer()));
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn what_the_first_proxy_told_goes_through_a_chain_of_them() {
    let mut tlvs = TlvList::default();
    tlvs.push(Tlv::AUTHORITY, b"www.example").unwrap();
    tlvs.push_checksum().unwrap();
    for (version, name) in [
        (ProxyVersion::V2, "www.example"),
        (ProxyVersion::V1, "none"),
    ] {
        let mut net = Net::new(1);
        let seen = Shared::<Vec<String>>::default();
        let inner = Rc::clone(&seen);
        let server = ProxyFactory::new(move || Names(Rc::clone(&inner)), everybody());
        net.reactor.listen("tcp:7001", server).unwrap();
        let forwarder = PortForwarder::new("tcp:10.0.0.1:7001").unwrap();
        net.listen(ProxyFactory::new(
            forwarder.with_proxy_header(version),
            everybody(),
        ));
        let _client = net.dial(binary(tlvs.clone()));
        net.run_for(SECOND);
        assert_eq!(
            *seen.borrow(),
            [format!("{name} for tcp:[2001:db8::7]:5000")]
        );
    }
}

#[test]
fn allowed_peers_are_networks_addresses_and_unix() {
    let peers: AllowedPeers = "10.0.0.0/8, 192.0.2.7,[fd00::]/8,2001:db8::1,unix"
        .parse()
        .unwrap();
    let shown = "10.0.0.0/8,192.0.2.7/32,[fd00::]/8,[2001:db8::1]/128,unix";
    assert_eq!(peers.to_string(), shown);
    assert_eq!(shown.parse(), Ok(peers.clone()));
    let inside = [
        "10.0.0.0",
        "10.255.255.255",
        "::ffff:10.1.1.1",
        "192.0.2.7",
        "fdff::",
        "2001:db8::1",
    ];
    let outside = [
        "9.255.255.255",
        "11.0.0.0",
        "192.0.2.6",
        "::10.0.0.1",
        "fe00::",
        "2001:db8::",
        "::1",
    ];
    for ip in inside {
        assert!(peers.contains_ip(ip.parse().unwrap()), "{ip}");
    }
    for ip in outside {
        assert!(!peers.contains_ip(ip.parse().unwrap()), "{ip}");
    }
    assert!(peers.contains(&Address::Unix("".into())));
    assert!(!everybody().contains(&Address::Unix("".into())) && !peers.contains(&Address::Stdio));
    assert!(everybody().contains_ip("1.2.3.4".parse().unwrap()));
    assert!(!everybody().contains_ip("::1".parse().unwrap()));
    let own = AllowedPeers::this_machine();
    assert!(
        ["127.9.9.9", "::1"]
            .iter()
            .all(|ip| own.contains_ip(ip.parse().unwrap()))
    );
    assert!(!own.contains_ip("::2".parse().unwrap()));
    for wrong in [
        "",
        ",",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "fd00::/129",
        "10.0.0.0/",
        "10.0.0.0/+8",
        "10/8",
        "host",
        "10.0.0.0/8;",
        "fd00::1/64",
        "1.2.3.4/-1",
    ] {
        let error = wrong.parse::<AllowedPeers>().unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/8"), "{error}");
    }
}

#[test]
fn r115_the_endpoint_proxy_wraps_any_other() {
    ropewalk_core::endpoint::register(ropewalk_protocols::PROXY_KIND);
    for (from, served) in [("10.0.0.0/8", true), ("192.0.2.0/24", false)] {
        let mut net = Net::new(1);
        let seen = Shared::<Vec<String>>::default();
        let inner = Rc::clone(&seen);
        let endpoint = format!("proxy:from={from}:tcp:7000");
        let factory = move || Witness(Rc::clone(&inner));
        net.reactor.listen(endpoint, factory).unwrap();
        let _client = net.dial(LINE);
        net.run_for(SECOND);
        let first = "tcp:192.0.2.7:5000 at tcp:198.51.100.1:443, told true";
        assert_eq!(*seen.borrow(), if served { vec![first] } else { vec![] });
    }
}
