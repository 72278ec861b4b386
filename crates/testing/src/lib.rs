//! Fakes, a simulated world per test, and the conformance suite for Ropewalk.
//!
//! From the narrow to the wide:
//!
//! - [`StringTransport`]: one protocol, no network; the test plays the peer.
//! - [`FakeDatagramTransport`]: one datagram protocol, no network; the test plays its peers.
//! - [`Pump`]: two protocols wired together; the test moves the bytes.
//! - [`Clock`]: timers, tasks and Deferreds on a time that the test moves.
//! - [`test`]: each test its own simulated [`World`], grown from a seed, which must be empty at the end.
//! - [`cancel_everywhere`]: a scenario of which each await is given up once and tried again.
//! - [`conformance!`]: the rules of behaviour, stamped on a driver.
//!
//! ```
//! use ropewalk_core::{Failure, Handle, timer::sleep};
//! use std::time::Duration;
//!
//! #[ropewalk_testing::test(crate = ropewalk_testing)]
//! async fn an_hour_costs_nothing(reactor: Handle) -> Result<(), Failure> {
//!     sleep(&reactor, Duration::from_secs(3600)).await
//! }
//! ```

mod cancel_everywhere;
mod chunks;
mod clock;
pub mod conformance;
mod fake_datagram_transport;
mod journal;
mod memory;
mod pump;
mod run_test;
mod string_transport;
mod test_case;
#[cfg(test)]
mod tests;
mod watched;
mod world;

pub use cancel_everywhere::{Interrupt, cancel_everywhere};
pub use chunks::Chunks;
pub use clock::Clock;
pub use fake_datagram_transport::FakeDatagramTransport;
pub use journal::take_errors;
pub use pump::{Pump, Side};
pub use ropewalk_macros::test;
pub use run_test::{TestOutcome, run_async_test, run_test};
pub use string_transport::{StringTransport, StringTransportBuilder};
pub use test_case::TestCase;
pub use world::World;
