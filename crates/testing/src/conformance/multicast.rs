//! Datagrams to many: groups and broadcasts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ropewalk_core::Address;
use ropewalk_core::driver::{Bind, Interface};

use super::ear::{Echo, Listener, open, socket};
use super::{Harness, Stage};

/// Members of a group hear what is sent to it, until they leave.
pub fn multicast_reaches_the_members_of_a_group(harness: &Harness) {
    if harness.loopback.is_ipv6() {
        return; // The loopback of most systems carries no IPv6 multicast.
    }
    let mut stage = Stage::new(harness);
    let group = IpAddr::V4(Ipv4Addr::new(239, 7, 7, 7));
    let interface = Interface::Address(Ipv4Addr::LOCALHOST);
    let mut bind = Bind {
        reuse_address: true,
        groups: vec![(group, interface.clone())],
        ..Bind::new(Address::Udp((Ipv4Addr::UNSPECIFIED, 0).into()))
    };
    let (one, heard_one) = Listener::new();
    let first = stage
        .listen_datagram(bind.clone(), one)
        .expect("a group can be joined");
    let port = socket(&first).port();
    bind.address = Address::Udp((Ipv4Addr::UNSPECIFIED, port).into());
    bind.groups.clear();
    let (two, heard_two) = Listener::new();
    let second = stage
        .listen_datagram(bind, two)
        .expect("the port is shared");
    let sender = open(&mut stage, Echo);
    let everybody = SocketAddr::new(group, port);
    stage
        .wait_for(sender.set_interface(interface.clone()))
        .expect("there is a loopback");
    stage
        .wait_for(second.join_group(group, interface.clone()))
        .expect("a group can be joined");
    sender
        .write_to("both", everybody)
        .expect("an address of its family");
    stage.wait("both members", || {
        heard_one.has(b"both") && heard_two.has(b"both")
    });
    stage
        .wait_for(second.leave_group(group, interface.clone()))
        .expect("it was a member");
    stage
        .wait_for(second.leave_group(group, interface))
        .expect_err("it is none any more");
    sender
        .write_to("again", everybody)
        .expect("an address of its family");
    stage.wait("the member", || heard_one.has(b"again"));
    stage.linger();
    assert!(!heard_two.has(b"again"), "it has left");
}

/// The options of multicast can be set, and a group that is none is refused.
pub fn multicast_options_can_be_set(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let port = open(&mut stage, Echo);
    let settings = [
        port.set_loopback(false),
        port.set_ttl(4),
        port.set_loopback(true),
    ];
    for setting in settings {
        stage.wait_for(setting).expect("an option of UDP");
    }
    let no_group = port.join_group(harness.loopback, "");
    let failure = stage.wait_for(no_group).expect_err("it is no group");
    let text = failure.to_string();
    assert!(text.contains(&harness.loopback.to_string()), "{text}");
}

/// A broadcast reaches who listens at every address, and is for those who may.
pub fn broadcast_reaches_all_and_must_be_allowed(harness: &Harness) {
    if harness.loopback.is_ipv6() {
        return; // It has none.
    }
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::new();
    let server = stage
        .listen_datagram("udp:0.0.0.0:0", listener)
        .expect("a free port");
    let everybody = SocketAddr::from(([127, 255, 255, 255], socket(&server).port()));
    let sender = stage
        .listen_datagram("udp:0.0.0.0:0", Echo)
        .expect("a free port");
    sender
        .write_to("forbidden", everybody)
        .expect("it is taken, and then refused");
    stage.wait("the refusal", || sender.lost() == 1);
    stage
        .wait_for(sender.set_broadcast(true))
        .expect("anybody may");
    sender
        .write_to("all", everybody)
        .expect("an address of its family");
    stage.wait("the broadcast", || heard.has(b"all"));
    assert!(!heard.has(b"forbidden"));
}
