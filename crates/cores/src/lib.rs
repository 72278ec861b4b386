//! Many cores: one reactor on each, mailboxes between them, and listening shared among them.
//!
//! A reactor and all that it owns live on one thread. Many cores are many reactors; only what crosses a mailbox is
//! `Send`, and the bytes of a connection never do. It is not a work-stealing pool: a connection stays on its core from
//! its first byte to its last.
//!
//! [`Cores`] makes the threads; [`Core`] is what lives on one; [`Sharing`] says how connections are shared out; a [`Hub`]
//! ties reactors together that somebody else made, such as simulated ones.

mod core;
mod cores;
mod hub;
mod mailbox;
mod sharing;

pub use crate::core::Core;
pub use crate::cores::Cores;
pub use crate::hub::Hub;
pub use crate::mailbox::{MAILBOX_MESSAGES, SendError};
pub use crate::sharing::Sharing;
