//! What bounds a connection, on by default.

use std::time::Duration;

/// The limits of each connection of a port or a connector.
///
/// ```
/// use ropewalk_core::Limits;
///
/// let limits = Limits::default();
/// assert_eq!(limits.high_water_bytes, 64 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From this many unsent bytes on, the protocol's `writing_paused` and its producers are told to pause, and reading
    /// pauses by itself until half of it is sent. Stops a peer that asks much and reads nothing from filling our memory.
    ///
    /// What is written while an event is told counts from when the kernel was offered it, right after the event; until then four
    /// times as much may wait, so that a burst of messages is answered in one send.
    pub high_water_bytes: usize,
    /// A protocol that writes on although more than this is unsent is cut off ([`Reason::Misbehaved`](crate::Reason)).
    /// One write, of any size, is always taken. Stops a broadcast from gathering for ever behind one dead reader.
    pub outgoing_bytes: usize,
    /// Unsent bytes of which the peer takes none for this long end the connection. Stops a peer that stays, reads nothing
    /// and so holds our memory.
    ///
    /// Where [reading goes on](Self::pause_reading_when_full) while we are full, as at clients, the peer must neither take nor
    /// send a byte for this long: one that pauses while it is full takes nothing until we have read what it sent, and a
    /// slow line may need minutes for that.
    pub write_stall: Option<Duration>,
    /// Layers (TLS …) must be open after this time, and at the end their peers must have answered our goodbye; else the
    /// connection ends without. Stops peers that begin handshakes and never end them.
    pub handshake: Option<Duration>,
    /// How long an attempt to connect may take, name look-up included.
    pub connect: Duration,
    /// Whether reading pauses while writing is paused. On where we listen, off where we connect: were it on at both ends, two
    /// that send much at once would each wait for the other to read.
    pub pause_reading_when_full: bool,
}

impl Limits {
    /// The limits of a connection that we asked for: as the default, but reading goes on whatever waits to be sent.
    #[must_use]
    pub fn of_client() -> Self {
        Self {
            pause_reading_when_full: false,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            high_water_bytes: 64 * 1024,
            outgoing_bytes: 64 * 1024 * 1024,
            write_stall: Some(Duration::from_secs(60)),
            handshake: Some(Duration::from_secs(10)),
            connect: Duration::from_secs(30),
            pause_reading_when_full: true,
        }
    }
}
