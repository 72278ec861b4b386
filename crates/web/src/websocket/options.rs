//! What a WebSocket is bounded by, and how it treats its peer.

use std::time::Duration;

use ropewalk_grammar::websocket::{Decoder, Deflate};

use super::pending::SlowPeer;

/// Limits and habits of WebSockets, safe by default.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_web::websocket::{Deflate, WebSocketOptions};
///
/// let options = WebSocketOptions {
///     limit_bytes: 16 * 1024 * 1024,
///     deflate: Some(Deflate::new()),
///     ..WebSocketOptions::default()
/// };
/// assert_eq!(options.heartbeat, Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// The longest message accepted, decompressed. A longer one is refused with 1009 when its head is read. Stops a peer from
    /// filling memory with one message.
    pub limit_bytes: usize,
    /// Compression, if the peer agrees; none by default, as it costs more than it saves on small messages.
    pub deflate: Option<Deflate>,
    /// A ping is sent when nothing came for this long, or for twice as long while something is sent. A peer for which
    /// something waits is not asked, but ends when it takes nothing for this long.
    pub heartbeat: Option<Duration>,
    /// The connection ends when nothing comes for this long after that ping: the peer is dead, or its network is.
    pub dead_after: Duration,
    /// How long to wait for the peer's close frame once ours was sent. Stops a peer that never agrees to part.
    pub close_timeout: Duration,
    /// How long the handshake may take. Stops clients that begin one and never end it.
    pub handshake_timeout: Duration,
    /// What to do when messages are sent faster than the peer reads: while more than
    /// [`Limits::high_water_bytes`](ropewalk_core::Limits::high_water_bytes) wait to be sent.
    pub slow_peer: SlowPeer,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        Self {
            limit_bytes: Decoder::DEFAULT_LIMIT_BYTES,
            deflate: None,
            heartbeat: Some(Duration::from_secs(30)),
            dead_after: Duration::from_secs(20),
            close_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            slow_peer: SlowPeer::Wait,
        }
    }
}
