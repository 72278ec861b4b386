//! Time: the queue of pending timers, the handles to them, and what is built on them.
//!
//! Nothing here reads a clock; time is the driver's.

mod cooperative_task;
mod cooperator;
mod delayed_call;
mod later;
mod looping_call;
pub(crate) mod queue;

pub use cooperative_task::{CooperativeTask, CooperativeTaskError};
pub use cooperator::Cooperator;
pub use delayed_call::{DelayedCall, TimerError};
pub use later::{Sleep, defer_later, sleep};
pub use looping_call::{AlreadyRunning, LoopingCall, NotRunning};

#[cfg(test)]
mod tests;
