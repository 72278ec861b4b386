//! A process that serves without a terminal: in the background, with a pid file, as another user, under another root.
//!
//! For: services that start as root, take what only root may take, and then are somebody harmless. Not for: service managers
//! of today, which do all this themselves and want to be [notified](crate::notify); the options work in the foreground too.

mod detach;
mod identity;
mod options;
mod pid_file;

pub(crate) use self::detach::{Detached, Starter, detach};
pub(crate) use self::identity::Identity;
pub use self::options::{DaemonOptions, Umask};
pub(crate) use self::pid_file::PidFile;
