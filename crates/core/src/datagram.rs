//! Datagrams: a protocol that hears of each with its sender, and the port that it answers on.
//!
//! ```text
//!   Driver ─► Ports ─► DatagramProtocol::datagram_received(transport, data, peer)
//!                ▲                        │ write_to(answer, peer): only queues
//!                └── flush, after a batch ┘
//! ```
//!
//! Not for streams over datagrams: QUIC and its like bring their own connections.

mod engine;
mod error;
mod link;
mod peer;
mod ports;
mod transport;

use std::any::Any;
use std::io;

pub use error::DatagramError;
pub use peer::DatagramPeer;
pub(crate) use ports::Ports;
pub use transport::DatagramTransport;

use crate::address::Address;
use crate::protocol::short_name;

/// What a datagram port is for.
///
/// *Guaranteed* (SEMANTICS R85–R87): `start_protocol` once, then any number of the others, then `stop_protocol` once, and
/// nothing after that. Callbacks never overlap and never run inside a call that the protocol makes. A panic in one is
/// caught and logged, and the port lives on.
///
/// Anybody can send to a port, under any sender's address: answer with much more than was asked, and somebody will have
/// your answers sent to his victim.
///
/// ```
/// use ropewalk_core::{Address, DatagramProtocol, DatagramTransport};
///
/// struct Echo;
///
/// impl DatagramProtocol for Echo {
///     fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
///         let _ = transport.write_to(data, peer); // lost if too much waits already, as the network might lose it
///     }
/// }
/// ```
#[doc(alias = "AbstractDatagramProtocol")]
pub trait DatagramProtocol: Any {
    /// The port is open.
    #[doc(alias = "startProtocol")]
    fn start_protocol(&mut self, transport: &DatagramTransport) {
        let _ = transport;
    }

    /// A datagram came: all of it, unless it was longer than the port's limit (8192 bytes by default) and so was cut
    /// (R85). There may be no bytes in it. They are gone on return.
    #[doc(alias = "datagramReceived")]
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address);

    /// Nobody listens where this connected port sent to; told on connected ports only (R87), where the network says so.
    /// The port lives on, and the peer may come back.
    #[doc(alias = "connectionRefused")]
    fn connection_refused(&mut self, transport: &DatagramTransport, error: &io::Error) {
        let _ = (transport, error);
    }

    /// The kernel takes nothing for now: what is written waits, and is dropped once too much does.
    fn writing_paused(&mut self, transport: &DatagramTransport) {
        let _ = transport;
    }

    /// Everything that waited is with the kernel.
    fn writing_resumed(&mut self, transport: &DatagramTransport) {
        let _ = transport;
    }

    /// The port is closed; the handle does nothing any more.
    #[doc(alias = "stopProtocol")]
    fn stop_protocol(&mut self, transport: &DatagramTransport) {
        let _ = transport;
    }

    /// The protocol's name in logs.
    fn name(&self) -> &'static str {
        short_name(std::any::type_name::<Self>())
    }
}
