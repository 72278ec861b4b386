//! Callbacks that block: how they are found, and what to do about them.
//!
//! A reactor does one thing after the other. While a callback computes, waits for a lock, or asks a slow disk, every other
//! connection of that reactor waits. So each reactor is looked at from outside:
//!
//! | after | what | by default |
//! | --- | --- | --- |
//! | [`Watchdog::slow`](crate::Watchdog) | once it has ended, a **warning** names the callback, its protocol and peer or the line where the closure was made, and says how long it took; a turn of many quick callbacks is told as such | 100 ms |
//! | [`Watchdog::stuck`](crate::Watchdog) | while it lasts, an **error** says what runs and since when, and whether its thread computes or waits, and where in the kernel; again at twice the time, and so on | 5 s |
//! | [`Watchdog::abort`](crate::Watchdog) | the process ends by SIGABRT, with a core dump where those are kept, and its service manager starts another | never |
//!
//! ```text
//! WARN  a callback blocked the reactor peer=tcp:10.0.0.7:40112 protocol="Login" callback="data_received" took=312.4ms
//! ERROR the reactor is stuck: a timed call made at src/report.rs:41:9 runs for 5.0s; `gdb -p …` shows where
//!       lasts=5.0s thread=main waits in the kernel, in futex_wait_queue
//! ```
//!
//! ```
//! use std::time::Duration;
//! use ropewalk::sim::SimDriver;
//! use ropewalk::{Reactor, Watchdog};
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1)); // in a program: ropewalk::reactor()?
//! reactor.set_watchdog(Watchdog {
//!     abort: Some(Duration::from_secs(30)),
//!     ..Watchdog::default()
//! });
//! ```
//!
//! `ropewalk --watchdog slow=0.05,abort=30 …` says it on the command line, `[watchdog]` in a file. Where systemd watches
//! (`WatchdogSec=`), a reactor that is stuck tells it nothing, so systemd ends it; the log says what was stuck before that.
//!
//! # What it costs
//!
//! A callback leaves four marks in memory and looks at no clock: some 60 instructions per message. A thread per reactor looks
//! at them, every 25 ms, but only while the reactor works: an idle program wakes nobody up. A process that never had a second thread has one
//! now, which makes the C library's system calls some nanoseconds slower. [`Watchdog::OFF`](crate::Watchdog::OFF) starts none.
//!
//! # What it does not see
//!
//! Code that runs in [threads](crate::Handle::defer_to_thread), and a program that waits outside of a turn. A process that
//! was stopped, or a machine that slept, is not taken for stuck. Layers are not callbacks: one that takes long is told as a turn that does.
//!
//! # What to do
//!
//! Work that blocks belongs into [a thread](crate::Handle::defer_to_thread), work that is long into
//! [pieces](crate::timer::Cooperator), a program that hangs into
//! [a process](crate::process).
//!
//! # In tests
//!
//! On a simulated network time stands still while a callback runs, so that nothing is ever slow, on no machine. A callback
//! that shall be takes virtual time by [`World::spend`](crate::sim::World::spend): timers, time-outs and peers see it,
//! and so does the watchdog.
