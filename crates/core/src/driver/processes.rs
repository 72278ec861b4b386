//! What a driver may add for child processes.

use std::io;

use crate::process::{SignalNumber, Spawn};
use crate::slots::Key;

use super::ConnId;

/// Names a child process of one driver, and never two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub Key);

/// Starts child processes. A driver that can gives it by [`Driver::processes`](super::Driver::processes).
///
/// *Guaranteed*: every child is waited for, also one that nobody holds a handle on, so none stays as a zombie; and its exit is
/// told once, by [`Event::ProcessExited`](super::Event::ProcessExited).
pub trait Processes {
    /// Starts one. Each of its pipes is a connection: [`Event::Connected`](super::Event::Connected) follows as after
    /// [`Driver::connect`](super::Driver::connect).
    ///
    /// A child inherits only the descriptors that are mapped for it, and default signal handling (R91).
    ///
    /// # Errors
    ///
    /// The program is not there or cannot be run, the working directory is not there, or the kernel's error. No child is
    /// left then.
    fn spawn(&mut self, spawn: &Spawn) -> io::Result<Spawned>;

    /// Sends a signal. One to a child whose exit is not told yet is never sent to a stranger.
    ///
    /// # Errors
    ///
    /// It has exited, or the kernel's error.
    fn signal(&mut self, process: ProcessId, signal: SignalNumber) -> io::Result<()>;
}

/// A child that was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spawned {
    /// Its name until its exit is told.
    pub process: ProcessId,
    /// Its number in the system.
    pub pid: u32,
    /// Its pipes: the child's descriptor and our connection. Those of a [stream](crate::process::ChildDescriptor::Stream)
    /// are one, under the lowest number.
    pub pipes: Vec<(u32, ConnId)>,
}
