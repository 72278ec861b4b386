//! What bounds the connections and requests of a site, on by default.

use std::time::Duration;

/// Limits of a [`Site`](crate::Site), beside those of every connection ([`Limits`](ropewalk_core::Limits)).
///
/// ```
/// use ropewalk_web::SiteLimits;
///
/// let mut limits = SiteLimits::default();
/// limits.requests_by_peer = Some(20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SiteLimits {
    /// How long a new connection may say nothing: 10 s. Against those that only hold connections.
    pub first_byte: Duration,
    /// How long a head may take from its first byte to its last: 30 s. Against Slowloris.
    pub head: Duration,
    /// How long a connection may be idle between two requests: 75 s.
    pub keep_alive: Duration,
    /// How many bytes of a body must come in a second, on average over [`body_window`](Self::body_window): 240. Against bodies that
    /// are sent byte by byte.
    pub body_rate: u64,
    /// How often the rate of a body is looked at: 10 s.
    pub body_window: Duration,
    /// How many bytes of a response a client must take in a second, on average over [`response_window`](Self::response_window): 240; 0 switches it
    /// off. It counts while more waits to be sent than the port's [`high_water_bytes`](ropewalk_core::Limits::high_water_bytes). Against those
    /// who ask for much and read it byte by byte; those who read nothing at all meet
    /// [`write_stall`](ropewalk_core::Limits::write_stall).
    pub response_rate: u64,
    /// How often that is looked at: 60 s. A kernel has room for some hundred kilobytes more, and asks for the next in large pieces.
    pub response_window: Duration,
    /// How large a body may be that is collected whole: 2 MiB (H1-16). Bodies that are read in pieces have no limit.
    pub body_bytes: u64,
    /// How much of a body that nobody reads is read and dropped, so that the connection can be used again: 64 KiB (H1-13).
    pub drain_bytes: u64,
    /// How many connections there may be: 65 536. One in 16 more is answered 503, and all above are closed unheard. Against those
    /// who open connections until there are no descriptors and no memory.
    pub connections: usize,
    /// How many connections one peer may have, where a network of 64 bits of IPv6 is one peer; more are closed unheard. No limit unless set: many
    /// people may share an address, and behind a proxy all do. Against one who takes all the room there is.
    pub connections_by_peer: Option<usize>,
    /// How many requests may be in the works: 16 384. More are answered 503. Against more work than can be done in time, which would be
    /// late for all. Streams of events and long polls count as long as they last.
    pub requests: usize,
    /// How many requests of one client ([`Request::client`](crate::Request::client)) may be in the works; more are answered 503. No limit unless
    /// set. Against one who keeps all others waiting.
    pub requests_by_peer: Option<usize>,
    /// After how long those who were answered 503 are asked to come back, by `Retry-After`: 5 s.
    pub retry_after: Duration,
}

impl Default for SiteLimits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(10),
            head: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            body_rate: 240,
            body_window: Duration::from_secs(10),
            response_rate: 240,
            response_window: Duration::from_secs(60),
            body_bytes: 2 * 1024 * 1024,
            drain_bytes: 64 * 1024,
            connections: 65_536,
            connections_by_peer: None,
            requests: 16_384,
            requests_by_peer: None,
            retry_after: Duration::from_secs(5),
        }
    }
}
