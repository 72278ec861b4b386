//! Fakes, a simulated world per test, and the conformance suite for Ropewalk.
//!
//! From the narrow to the wide:
//!
//! - [`StringTransport`]: one protocol, no network; the test plays the peer.
//! - [`Pump`]: two protocols wired together; the test moves the bytes.
//! - [`Clock`]: timers, tasks and Deferreds on a time that the test moves.

mod chunks;
mod clock;
mod memory;
mod pump;
mod string_transport;
#[cfg(test)]
mod tests;
mod watched;

pub use chunks::Chunks;
pub use clock::Clock;
pub use pump::{Pump, Side};
pub use string_transport::{StringTransport, StringTransportBuilder};
