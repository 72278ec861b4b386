//! Ropewalk's readiness driver: epoll and kqueue through mio.
//!
//! It turns *"something may be tried"* of the kernel into the *"this happened"* of
//! [`Driver`](ropewalk_core::driver::Driver). It knows sockets, names, processes, threads, signals and nothing of
//! protocols, layers or timers.
//!
//! ```text
//!   epoll ─► token ─► Sockets ──► recv ─► Handler::event ─► Handler::flush ─► send
//!                 ├─► Listeners ─► accept4 (or: the descriptors ran out, rest)
//!                 ├─► DatagramPorts ─► recvmmsg ─► Handler::event … ─► Handler::flush_datagrams ─► sendmmsg
//!                 ├─► Children: exits (pidfd)
//!                 ├─► signals
//!                 └─► waker ◄─ other threads, the thread pool (jobs, name look-ups)
//! ```
//!
//! One message costs one `recv` and one `send`, one batch of ready connections one `epoll_wait`, and nothing is allocated
//! once the tables have grown. An idle connection owns its entry in a table and no buffer.
//!
//! # Limits
//!
//! 64-bit systems only: a token carries the whole generational key of a connection, so a late event never finds a
//! stranger.

mod accept;
mod adopt;
mod ancillary;
mod batch;
mod child;
mod children;
mod connect;
mod datagram_port;
mod datagrams;
mod driver;
mod file;
mod inherit;
mod linger;
mod listener;
mod lookup;
mod multicast;
mod options;
mod pair;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod segments;
mod signal;
mod socket;
mod sockets;
mod stream;
mod thread_pool;
mod token;
mod unix_name;
mod unix_path;
mod waker;
mod watchdog;
mod watches;

pub use driver::MioDriver;
