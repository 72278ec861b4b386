//! Ropewalk's generic protocols and policies.
//!
//! **Messages** instead of bytes: a trait for your protocol, a handle with the verbs of the message, and a receiver that
//! makes a [`Protocol`](ropewalk_core::Protocol) of it.
//!
//! | messages | your trait | your handle | the receiver |
//! | --- | --- | --- | --- |
//! | lines, with raw bytes in between | [`LineProtocol`] | [`Lines`] | [`LineReceiver`] |
//! | strings behind 8, 16 or 32 bits of length, netstrings | [`StringProtocol`] | [`Strings`] | [`StringReceiver`] |
//!
//! **Policies** around any factory, each of which may stand around another; outside is nearer to the wire:
//!
//! | policy | what it does |
//! | --- | --- |
//! | [`TimeoutFactory`] | ends connections on which nothing happens |
//! | [`LimitTotalConnectionsFactory`] | bounds how many there are at once |
//! | [`LimitConnectionsByPeer`] | bounds how many one peer has at once |
//! | [`ThrottlingFactory`] | shapes how fast they read and write |
//! | [`TrafficLoggingFactory`] | writes down what they say and hear |
//! | [`ProxyFactory`] | believes known proxies for whom they connect, by the PROXY protocol |
//! | [`WrappingFactory`] | puts a protocol of yours around each |
//!
//! ```
//! use ropewalk_protocols::wire::Echo;
//! use ropewalk_protocols::{LimitConnectionsByPeer, ThrottlingFactory, TimeoutFactory};
//!
//! let factory = TimeoutFactory::new(|| Echo);
//! let factory = ThrottlingFactory::new(factory).with_write_rate(1_000_000);
//! let factory = LimitConnectionsByPeer::new(factory);
//! ```
//!
//! [`wire`] has the small services of the early internet; [`PortForwarder`] connects the peers of a port with somebody else.

mod allowed_peers;
mod limit_connections_by_peer;
mod limit_total_connections;
mod line_protocol;
mod line_receiver;
mod messages;
mod port_forwarder;
mod proxy_address;
mod proxy_factory;
mod proxy_header_layer;
mod proxy_kind;
mod rate_limit;
mod shaping_layer;
mod string_protocol;
mod string_receiver;
mod throttling;
mod timeout;
mod token_bucket;
mod traffic_log;
pub mod wire;
mod wrapping;

pub use allowed_peers::{AllowedPeers, NotANetwork};
pub use limit_connections_by_peer::LimitConnectionsByPeer;
pub use limit_total_connections::LimitTotalConnectionsFactory;
pub use line_protocol::{LineMode, LineProtocol, Lines};
pub use line_receiver::LineReceiver;
pub use messages::{EarlyBytes, Messages};
pub use port_forwarder::PortForwarder;
pub use proxy_factory::{ProxyFactory, ProxyLayer};
pub use proxy_header_layer::{ProxyHeaderLayer, ProxyVersion};
pub use proxy_kind::PROXY_KIND;
pub use rate_limit::{PeerKey, RateLimit};
pub use ropewalk_grammar::proxy::{ProxyError, ProxyHeader};
pub use ropewalk_grammar::{Delimiter, LineError};
pub use shaping_layer::{ShapingLayer, SharedBucket};
pub use string_protocol::{StringError, StringFraming, StringProtocol, StringSender, Strings};
pub use string_receiver::StringReceiver;
pub use throttling::ThrottlingFactory;
pub use timeout::TimeoutFactory;
pub use token_bucket::TokenBucket;
pub use traffic_log::{TrafficLoggingFactory, TrafficStyle};
pub use wrapping::WrappingFactory;
