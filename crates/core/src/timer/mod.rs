//! Time: the queue of pending timers and the handles to them.
//!
//! Nothing here reads a clock; time is the driver's.

pub(crate) mod queue;
