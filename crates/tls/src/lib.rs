//! TLS 1.2 and 1.3 for Ropewalk: a [`Layer`](ropewalk_core::Layer) on rustls, certificates that reload, endpoints.
//!
//! ```text
//!   Certificates ─► TlsServer ─┐                 ┌─► protocols, which see plain bytes
//!    (files, SNI)              ├─► TlsFactory ───┤
//!   Roots ────────► TlsClient ─┘                 └─► TlsLayer, one per connection, below them
//! ```
//!
//! A server and its client:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ropewalk_core::{Protocol, Reactor, Transport};
//! use ropewalk_sim::SimDriver;
//! use ropewalk_tls::{Certificates, ClientOptions, Roots, ServerOptions, TlsClient, TlsFactory, TlsServer};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! struct Hello;
//! impl Protocol for Hello {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.write("hello"); // the handshake is over, the server's certificate was checked
//!     }
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         assert_eq!(data, b"hello");
//!         transport.reactor().stop().unwrap();
//!     }
//! }
//!
//! # let made = rcgen::generate_simple_self_signed(["example.com".to_owned()])?;
//! # let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
//! let server = TlsServer::new(ServerOptions::new(Certificates::from_pem(&cert, &key)?))?;
//! let client = TlsClient::new(ClientOptions::new(Roots::from_pem(&cert)?))?;
//!
//! let mut reactor = Reactor::new(SimDriver::alone(7));
//! reactor.listen("tcp:10.0.0.1:443", TlsFactory::server(&server, || Echo))?;
//! reactor.connect("tcp:10.0.0.1:443", TlsFactory::client(&client, "example.com", || Hello)?)?;
//! reactor.run()?;
//! # Ok(())
//! # }
//! ```
//!
//! # How a connection ends
//!
//! `lose_connection` sends the close alert after all data, waits for the peer's for at most `Limits::handshake`, then closes
//! TCP (R77). A stream that ends without one was cut: `Reason::Lost` (R78). The peer's close alert is told as
//! `eof_received`, as the end of a TCP stream is; `lose_write_connection` sends ours and reads on (RFC 8446 section 6.1).
//!
//! # What is not here
//!
//! No cryptography, which is the [`Provider`]'s, and no sockets. The process-wide default provider of rustls is neither set
//! nor asked, so nothing that another crate does to it can break a connection.

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
compile_error!(
    "ropewalk-tls needs a provider of cryptography: switch on the feature aws-lc-rs or ring"
);

mod certificates;
mod client;
mod der;
mod endpoint;
mod error;
#[cfg(all(test, feature = "aws-lc-rs"))]
mod exhaustion;
mod factory;
mod facts;
#[cfg(feature = "aws-lc-rs")]
mod key_schedule;
mod layer;
mod peer_error;
mod pem;
mod provider;
#[cfg(feature = "dangerous-seeded-keys")]
mod seeded;
mod server;
mod session;
mod verifier;
mod watch;

pub use certificates::{CertificateFiles, Certificates};
pub use client::{ClientOptions, Roots, TlsClient};
pub use endpoint::{TlsClientEndpoint, TlsServerEndpoint, register};
pub use error::{TlsError, TlsProblem};
pub use factory::TlsFactory;
pub use facts::{TlsFacts, TlsVersion};
pub use layer::TlsLayer;
pub use peer_error::PeerError;
pub use pem::Identity;
pub use provider::Provider;
pub use server::{ClientCertificates, ServerOptions, TlsServer};
