//! What computes between the driver and the protocol: TLS, a PROXY header, shaping, tracing.
//!
//! ```text
//!   Received ─► layer 0 ─► layer 1 ─► protocol        up: in place where it can be
//!   send     ◄─ layer 0 ◄─ layer 1 ◄─ writes          down: once per event or turn
//! ```
//!
//! A layer is a pure transformer: no socket, no time, no handle. The connection owns the list of layers, lowest first,
//! and every buffer between them.

use std::error::Error;
use std::time::Duration;

use crate::facts::Facts;

/// Transforms the bytes of one connection in both directions.
///
/// Every method may append to `down` what has to be sent below: a greeting, an answer to the peer's layer, an alert.
#[allow(
    unused_variables,
    reason = "the names of the arguments are documentation"
)]
pub trait Layer: 'static {
    /// The layer's name in logs and time-outs.
    fn name(&self) -> &'static str;

    /// The layer below is open: begin.
    ///
    /// # Errors
    ///
    /// The layer cannot work; the connection ends.
    fn start(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        Ok(())
    }

    /// Whether bytes of the layers above may pass. They are kept until it is true.
    fn is_open(&self) -> bool {
        true
    }

    /// What the layer found out, asked once it is open: the true peer, the name asked for, a certificate.
    fn facts(&self, facts: &mut Facts) {}

    /// Bytes from below, which may be changed in place. What they mean above goes to `up`, any number of times.
    ///
    /// # Errors
    ///
    /// The peer broke the layer's rules. What is in `down` (an alert) is still sent, then the connection ends.
    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError>;

    /// Bytes from above, on their way down.
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>);

    /// Nothing more comes from above: say goodbye, if the layer has a way to. Called once, after all bytes.
    fn close(&mut self, down: &mut Vec<u8>) {}

    /// Whether the peer's layer has answered our goodbye, or need not. Until then a connection that is lost in order reads
    /// on, for at most [`Limits::handshake`](crate::Limits::handshake).
    fn is_closed(&self) -> bool {
        true
    }

    /// Whether the peer's layer said goodbye: nothing more will go up, and what is above is told so as if the stream had
    /// ended.
    fn is_ended(&self) -> bool {
        false
    }

    /// The stream below ended. Not called once [`is_ended`](Self::is_ended) was true.
    ///
    /// # Errors
    ///
    /// It ended where it must not (a TLS stream without close alert): the connection was cut, not closed.
    fn eof(&mut self) -> Result<(), LayerError> {
        Ok(())
    }

    /// How many of the next `want` bytes may pass now, at least one, or how long all of them must wait: for layers that
    /// shape traffic. Asked before bytes run up from the driver or down from the protocol, and again for what is left.
    ///
    /// Count what comes to `receive` and `send`, not what was granted: bytes of another layer's handshake come unasked, and
    /// another layer may let fewer pass. While bytes wait to go up the driver reads nothing, so that back-pressure reaches
    /// the peer. `now` is the driver's time.
    fn allow(&mut self, direction: Direction, want: usize, now: Duration) -> Allowance {
        Allowance::Bytes(want)
    }
}

/// Which way bytes run through the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the driver to the protocol.
    Up,
    /// From the protocol to the driver.
    Down,
}

/// How many bytes a layer lets pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// So many, at least one.
    Bytes(usize),
    /// None until so much time has passed.
    Wait(Duration),
}

/// How a layer failed: the peer broke a rule, or the stream was cut.
#[derive(Debug)]
#[non_exhaustive]
pub enum LayerError {
    /// The peer broke the layer's rules.
    Misbehaved(Box<dyn Error + Send + Sync>),
    /// The stream ended in the middle.
    Truncated,
}
