//! Who is at the other end of a UNIX socket, as Linux tells it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use ropewalk_core::{Factory, PeerCredentials, Protocol, Reactor, Transport};
use ropewalk_mio::MioDriver;

use crate::unix::{Directory, listen};

/// Tells the peer who it is.
struct WhoAreYou;

impl Factory for WhoAreYou {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        let peer = transport.fact::<PeerCredentials>().unwrap();
        transport.write(format!(
            "{} {} {}",
            peer.process.unwrap(),
            peer.user,
            peer.group
        ));
        transport.lose_connection();
        struct Silent;
        impl Protocol for Silent {
            fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
        }
        Some(Box::new(Silent))
    }
}

#[test]
fn the_kernel_tells_who_is_at_the_other_end() {
    let directory = Directory::new();
    let path = directory.path("socket");
    let mut reactor = Reactor::new(MioDriver::new().unwrap());
    reactor.listen(listen(&path, false), WhoAreYou).unwrap();
    let client = std::thread::spawn(move || {
        let mut said = String::new();
        let mut peer = UnixStream::connect(path).unwrap();
        peer.write_all(b"hello").unwrap();
        peer.read_to_string(&mut said).unwrap();
        said
    });
    while !client.is_finished() {
        let second = std::time::Duration::from_millis(50);
        reactor.turn(Some(second)).unwrap();
    }
    let us = fs::metadata("/proc/self").unwrap();
    let process = std::process::id();
    let expected = format!("{process} {} {}", us.uid(), us.gid());
    assert_eq!(client.join().unwrap(), expected);
}
