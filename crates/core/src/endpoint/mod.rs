//! Endpoint strings: where to listen or connect, as one line of text.
//!
//! The same syntax is used by the API, by the command line and in configuration files:
//!
//! ```text
//!   tcp:127.0.0.1:8000:backlog=128
//!   ─┬─ ────┬────  ─┬─ ─────┬─────
//!  type  arguments by     options, by name
//!           place
//! ```
//!
//! - A colon ends a field. The first `=` of a field ends its name; a later one is text.
//! - A backslash quotes a colon, an equals sign, a bracket or a backslash. [`quote`] does it for you.
//! - What stands between `[` at the beginning of a field, or behind a comma, and `]` is text, so an IPv6 address needs no
//!   quoting: `tcp:[::1]:80`.
//!
//! - Some types have another endpoint inside: its string stands there as it is, behind the options of the outer one, as in
//!   `proxy:from=10.0.0.0/8:tcp:80`.
//!
//! ```text
//!   text ─► Description ─► its Kind, on the list ─► Listening    a source of connections, factories around the user's
//!                                                └► Destination  a route to the peer, factories around the user's
//! ```
//!
//! [`Description`] is the parsed string, a [`Kind`] gives it a meaning, and others can be [`register`]ed.
//! [`EndpointError`] quotes the string, points at the place and says what would be right.
//!
//! This module only reads text: it resolves no name and opens nothing.

mod datagram_endpoint;
mod description;
mod destination;
mod error;
mod inherited;
mod kind;
mod listening;
mod nearest;
mod process;
mod server_endpoint;
mod string;
mod syntax;
mod tcp;
mod udp;
mod udp_client;
mod unix;
mod unix_datagram;
mod value;
mod wrappers;

pub use datagram_endpoint::DatagramEndpoint;
pub use description::Description;
pub use destination::{Destination, Host, Route};
pub use error::{EndpointError, EndpointProblem};
pub use kind::{Kind, Role, Use, kinds, register};
pub use listening::{Listening, Open, Source};
pub use nearest::nearest;
pub use server_endpoint::{ClientEndpoint, ServerEndpoint};
pub use string::{ClientString, DatagramString, ServerString};
pub use syntax::quote;
pub use tcp::{TcpClient, TcpServer};
pub use udp::UdpServer;
pub use udp_client::UdpClient;
pub use unix_datagram::UnixDatagramServer;
pub use value::Value;

use tcp::{host_of, scoped};

#[cfg(test)]
mod tests;
