//! The driver as a reactor sees it: through `Driver` and `Handler` alone.

mod chance;
mod datagrams;
mod endings;
mod faults;
mod handshake;
mod names;
mod probe;
mod reactor;
mod stream;
mod threads;
mod time;
