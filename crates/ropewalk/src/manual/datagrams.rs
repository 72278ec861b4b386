//! Datagrams: UDP, multicast, broadcast and UNIX datagrams.
//!
//! A [`DatagramProtocol`](crate::DatagramProtocol) is told of each datagram with the address of its sender, and answers
//! through its [`DatagramTransport`](crate::DatagramTransport). There are no connections, so there is no factory: one
//! protocol for each port.
//!
//! ```
//! use ropewalk::testing::FakeDatagramTransport;
//! use ropewalk::{Address, DatagramProtocol, DatagramTransport};
//!
//! struct Shout;
//!
//! impl DatagramProtocol for Shout {
//!     fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
//!         let _ = transport.write_to(data.to_ascii_uppercase(), peer);
//!     }
//! }
//!
//! // A test plays the peers; a program says reactor.listen_datagram("udp:127.0.0.1:1234", Shout).
//! let mut port = FakeDatagramTransport::new(Shout);
//! port.receive("hello", "192.0.2.7:5000");
//! assert_eq!(port.take_sent()[0].0, b"HELLO");
//! ```
//!
//! # What is promised
//!
//! - A datagram is one call, however long it is up to the port's limit; a longer one is cut. The limit is 8192 bytes unless the
//!   endpoint says otherwise: `udp:1234:limit=65536`.
//! - What cannot be sent at all is an error of [`write_to`](crate::DatagramTransport::write_to): the name of a host (resolve it
//!   first), an address of the wrong family, too many bytes, too much that waits already. What the kernel refuses later is
//!   counted ([`lost`](crate::DatagramTransport::lost)) and logged, a line per 5 s.
//! - A protocol that panics is logged, and its port lives on.
//! - Nothing is promised of the network: a datagram may be lost, come twice, or be overtaken. The simulated one does all of
//!   that by its seed ([`Faults`](crate::sim::Faults), [`Rule`](crate::sim::Rule)).
//!
//! On Linux up to 32 datagrams come, and their answers go, in one system call. A port that is flooded lets the others have
//! their turn after 128.
//!
//! # One peer
//!
//! [`connect`](crate::DatagramTransport::connect) fixes the peer: [`write`](crate::DatagramTransport::write) needs no address,
//! others are not heard, and [`connection_refused`](crate::DatagramProtocol::connection_refused) tells when nobody listens
//! there. The example `udp_client` does it.
//!
//! # Groups
//!
//! `udp:5353:reuse_address=yes:group=224.0.0.251` joins a group from the start, and lets others share the port;
//! [`join_group`](crate::DatagramTransport::join_group) does it later. Only what is sent to the port's own groups is
//! received, on Linux too, where by default a socket hears those of its neighbours.
//!
//! # Who is asking?
//!
//! Anybody can send under any address. A service whose answers are longer than the questions is a weapon against whoever's
//! address is forged: answer strangers briefly, or make them prove their address first.
