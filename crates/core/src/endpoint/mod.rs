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
//! - A field that begins with `[` is text up to `]`, so an IPv6 address needs no quoting: `tcp:[::1]:80`.
//!
//! [`Description`] is the parsed string, [`TcpServer`] and [`TcpClient`] are what the type `tcp` says with it,
//! and [`EndpointError`] quotes the string, points at the place and says what would be right.
//!
//! This module only reads text: it resolves no name and opens nothing.

mod description;
mod error;
mod nearest;
mod server_endpoint;
mod syntax;
mod tcp;
mod value;

pub use description::Description;
pub use error::{EndpointError, EndpointProblem};
pub use server_endpoint::{ClientEndpoint, Destination, ServerEndpoint};
pub use syntax::quote;
pub use tcp::{TcpClient, TcpServer};
pub use value::Value;

#[cfg(test)]
mod tests;
