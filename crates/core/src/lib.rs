//! The heart of Ropewalk: reactor, protocols, transports, layers, timers and Deferreds, without a system call.

pub mod address;
pub mod buffer;
pub mod driver;
pub mod endpoint;
mod reason;
pub mod slots;
pub use address::Address;
pub use reason::{ConnectError, ListenError, Reason, Timeout};
