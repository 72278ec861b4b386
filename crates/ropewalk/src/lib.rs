//! An event-driven networking engine: Twisted's model at native speed, testable without a network.
//!
//! A correct, fast, safe server:
//!
//! ```no_run
//! use ropewalk::{Protocol, Transport};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! fn main() -> Result<(), ropewalk::Failure> {
//!     let mut reactor = ropewalk::reactor()?;
//!     reactor.listen("tcp:127.0.0.1:8000", || Echo)?;
//!     Ok(reactor.run()?)
//! }
//! ```
//!
//! The [manual] begins with a [tutorial](manual::tutorial), and has a page for those who come
//! [from Twisted](manual::from_twisted) and one for those who come [from tokio](manual::from_tokio).

pub use bytes::Bytes;
pub use ropewalk_core::*;
#[cfg(feature = "mio")]
pub use ropewalk_cores as cores;
#[cfg(feature = "cred")]
pub use ropewalk_cred as cred;
#[cfg(feature = "enterprise")]
#[doc(alias = "adbapi")]
pub use ropewalk_enterprise as enterprise;
pub use ropewalk_grammar as grammar;
pub use ropewalk_macros::test;
pub use ropewalk_protocols as protocols;
pub use ropewalk_sim as sim;
#[cfg(any(feature = "tls", feature = "tls-ring"))]
pub use ropewalk_tls as tls;
#[cfg(feature = "web")]
pub use ropewalk_web as web;

mod endpoints;
pub mod log;
pub mod manual;
#[cfg(feature = "program")]
pub mod program;
mod run;
pub mod testing;

pub use endpoints::register_endpoints;
#[cfg(feature = "log")]
pub use log::log_to_stderr;
#[cfg(feature = "mio")]
pub use run::{announce, exit_code, listen, listen_with, react, reactor, say, serve};
