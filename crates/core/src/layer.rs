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

    /// Nothing more comes from above: say goodbye, if the layer has a way to.
    fn close(&mut self, down: &mut Vec<u8>) {}

    /// The stream below ended.
    ///
    /// # Errors
    ///
    /// It ended where it must not (a TLS stream without close alert): the connection was cut, not closed.
    fn eof(&mut self) -> Result<(), LayerError> {
        Ok(())
    }

    /// How long the layer may read nothing and send nothing from now on: asked after `receive` and `send`, for layers that
    /// shape traffic. `None` is no delay.
    fn delay(&mut self, now: Duration) -> Option<Delay> {
        None
    }
}

/// A pause that a shaping layer asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay {
    /// Read nothing for this long.
    pub reading: Duration,
    /// Send nothing for this long.
    pub writing: Duration,
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
