//! Ropewalk's simulated driver: virtual time and a seeded network full of faults.
//!
//! Not a model of TCP: segments, windows and retransmission are left out, because what a program sees of them is only
//! that bytes come late, in pieces, not at all, or that a connection breaks. Byte pipes show it that, and more often
//! than any real network.
//!
//! ```text
//!   reactor ─► SimDriver ─┐
//!   reactor ─► SimDriver ─┼─► World: hosts, links, time ◄── Faults (drawn) · Rules (chosen) · World::at (planned)
//!   reactor ─► SimDriver ─┘     └─► Trace: same seed, same lines
//! ```
//!
//! Start with [`SimDriver::alone`] for one reactor that talks with itself, with [`World`] for several hosts.

mod datagram;
mod datagram_port;
mod descriptor;
mod driver;
mod ending;
mod fate;
mod faults;
mod handshake;
mod host;
mod link;
mod name;
mod netstat;
mod network;
mod notice;
mod patience;
mod pipe;
mod random;
mod route;
mod rule;
mod run;
mod schedule;
mod strand;
#[cfg(test)]
mod tests;
mod thread;
mod trace;
mod traffic;
mod wire;
mod world;

pub use driver::{Crashed, Mood, SimDriver};
pub use faults::Faults;
pub use name::Answer;
pub use netstat::Socket;
pub use random::{Random, Seed};
pub use rule::Rule;
pub use run::run;
pub use trace::{Recording, Trace};
pub use world::{Guard, World};
