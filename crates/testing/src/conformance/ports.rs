//! Listening ports and addresses: rules 44, 45 and 47.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ropewalk_core::{Address, ListenError};

use super::script::{End, Script};
use super::witness::{Log, Witness};
use super::{Harness, Stage};

#[track_caller]
fn assert_names(error: &ListenError, wanted: &Address, kind: io::ErrorKind) {
    let ListenError::Bind {
        address,
        error: cause,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!((address, cause.kind()), (wanted, kind));
    assert!(error.to_string().contains(&wanted.to_string()), "{error}");
}

/// Rule 44: a busy address is an error at once, which names it.
pub fn r044_listening_at_a_busy_address_fails_at_once(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let port = stage.listen(Script::new);
    let busy = port.host().socket().expect("a port has a socket address");
    let error = stage.try_listen(busy, Script::new).expect_err("it is busy");
    assert_names(&error, port.host(), io::ErrorKind::AddrInUse);
    let later = stage.handle().listen(busy, Script::new);
    let failure = stage.wait_for(later).expect_err("it is still busy");
    let error = failure.downcast_ref().expect("a ListenError");
    assert_names(error, port.host(), io::ErrorKind::AddrInUse);
}

/// Rule 44: so is an address that this machine does not have.
pub fn r044_listening_at_a_foreign_address_fails_at_once(harness: &Harness) {
    let mut stage = Stage::new(harness);
    // For documentation, so nobody's (RFC 5737).
    let foreign = SocketAddr::from(([192, 0, 2, 1], 4711));
    let error = stage
        .try_listen(foreign, Script::new)
        .expect_err("it is not ours");
    assert_names(
        &error,
        &Address::Tcp(foreign),
        io::ErrorKind::AddrNotAvailable,
    );
}

/// Rule 45: a port that stops to listen refuses whoever comes, and leaves alone who is there.
pub fn r045_stopping_a_port_refuses_new_peers_and_keeps_the_old(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let port = stage.listen(Script::echo);
    let client = stage.dial(port.host(), Script::new());
    stage.wait("the connection", || client.is_made());
    client.transport().write("before");
    stage.wait("the echo", || client.received() == 6);
    assert!(port.is_listening());
    stage
        .wait_for(port.stop_listening())
        .expect("stopping to listen does not fail");
    assert!(!port.is_listening());
    stage
        .connect(port.host(), Witness::new(&log, || None))
        .expect("an address can be read");
    stage.wait("the refusal", || log.has("failed: refused"));
    client.transport().write(" and after");
    stage.wait("the echo", || &*client.bytes() == b"before and after");
    client.transport().lose_connection();
    stage.wait("the end", || client.is_lost());
    assert_eq!(client.end(), Some(End::Done));
}

/// Rule 45: its address is free at once.
pub fn r045_a_stopped_port_can_be_listened_at_again(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let port = stage.listen(Script::echo);
    let address = port.host().socket().expect("a port has a socket address");
    let client = stage.dial(port.host(), Script::new());
    stage.wait("the connection", || client.is_made());
    stage
        .wait_for(port.stop_listening())
        .expect("stopping to listen does not fail");
    let again = stage
        .try_listen(address, Script::echo)
        .expect("the address is free");
    assert_eq!(again.host(), port.host());
    let newcomer = stage.dial(again.host(), Script::new());
    stage.wait("the connection", || newcomer.is_made());
    newcomer.transport().write("hello");
    stage.wait("the echo", || newcomer.received() == 5);
}

/// Rule 45: to stop twice is harmless.
pub fn r045_stopping_twice_is_harmless(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let port = stage.listen(Witness::new(&log, || None));
    let (first, second) = (port.stop_listening(), port.stop_listening());
    stage
        .wait_for(first)
        .expect("stopping to listen does not fail");
    stage.wait_for(second).expect("nor does it the second time");
    assert_eq!(log, ["start", "stop"]);
}

/// Rule 47: both ends, and the port, tell the same true addresses.
pub fn r047_addresses_are_the_same_from_both_ends(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (address, server) = stage.serve(Script::new());
    assert_ne!(
        address.port(),
        Some(0),
        "the real port, not the one asked for"
    );
    let client = stage.dial(&address, Script::new());
    stage.wait("the connection", || client.is_made() && server.is_made());
    let (near, far) = (client.transport(), server.transport());
    assert_eq!((near.peer(), near.host()), (&address, far.peer()));
    assert_eq!(far.host(), &address);
    let ips = [near.host(), near.peer()].map(|end| end.ip());
    assert_eq!(ips, [Some(harness.loopback); 2]);
    let is_ipv6 = address.to_string().contains("tcp:[::1]:");
    assert_eq!(
        is_ipv6,
        matches!(harness.loopback, IpAddr::V6(_)),
        "{address}"
    );
}

/// Rule 47: the addresses stay when the connection is gone.
pub fn r047_addresses_stay_after_the_end(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), Script::new());
    let before = client.transport().host().clone();
    client.transport().lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(client.transport().host(), &before);
    assert_eq!(server.transport().peer(), &before);
}
