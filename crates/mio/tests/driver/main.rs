//! The driver on real loopback sockets, seen through its seam and by peers of the standard library.

mod accept;
mod adopt;
mod child;
mod close;
mod connect;
#[cfg(target_os = "linux")]
mod credentials;
mod datagrams;
mod listen;
mod lookup;
#[cfg(target_os = "linux")]
mod refusals;
mod signal;
mod stream;
mod unix;
mod wake;
mod watchdog;
mod world;
