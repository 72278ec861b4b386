//! Time: the queue of pending timers and the handles to them.
//!
//! Nothing here reads a clock; time is the driver's.

mod delayed_call;
pub(crate) mod queue;

pub use delayed_call::{DelayedCall, TimerError};
