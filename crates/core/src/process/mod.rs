//! Child processes.
//!
//! ```text
//!   Handle::spawn_process(Spawn, ProcessProtocol)
//!        │                               pipes: each an ordinary connection
//!        ▼            ┌─ 0 ◄── write, close_stdin           ──► in_connection_lost
//!      child ─────────┼─ 1 ──► out_received                 ──► out_connection_lost
//!        │            ├─ 2 ──► err_received                 ──► err_connection_lost
//!        │            └─ n ◄─► write_to_child, child_data_received …
//!        └─ exit ──► process_exited, at once ──► process_ended, when all pipes have ended too
//! ```
//!
//! *Guaranteed* (R90–R92): `process_started` first, once; `process_exited` once, as soon as the child has exited;
//! `process_ended` once and last, after the exit *and* the end of every pipe, also where a grandchild holds one. Both get the
//! exit status. Children inherit only the descriptors mapped for them.
//!
//! When the reactor stops, pipes are closed and children are left running, as Twisted does, unless
//! [`Spawn::kill_at_stop`] was asked for: a child that reads its standard input then sees its end.
//!
//! Not here: how a child is started and waited for, which is the driver's
//! ([`Processes`](crate::driver::Processes)); the simulated driver has none and says so.

mod child;
mod exit_status;
mod monitor;
mod output;
mod process_error;
mod process_protocol;
mod process_transport;
mod signal_number;
mod spawn;

pub use self::exit_status::ExitStatus;
pub use self::monitor::{MonitorOptions, ProcessMonitor};
pub use self::output::{Output, OutputOptions};
pub use self::process_error::{OutputTooLong, ProcessExitedAlready, SpawnError};
pub use self::process_protocol::ProcessProtocol;
pub use self::process_transport::ProcessTransport;
pub use self::signal_number::SignalNumber;
pub use self::spawn::{ChildDescriptor, Spawn};

pub(crate) use self::child::{Child, capable};
