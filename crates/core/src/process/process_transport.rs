//! The handle on a child process.

use std::fmt;
use std::rc::Rc;

use super::{Child, ExitStatus, ProcessExitedAlready, SignalNumber};
use crate::handle::Handle;
use crate::transport::Transport;

/// A handle on one child process; cheap to clone, and it stays on the reactor's thread.
///
/// Every method only queues. Dropping it changes nothing: the child runs on, and is waited for when it exits.
#[derive(Clone)]
pub struct ProcessTransport(pub(super) Rc<Child>);

impl ProcessTransport {
    /// The child's number in the system. After its exit was told it may be another's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// How the child ended, once that was told.
    #[must_use]
    pub fn status(&self) -> Option<ExitStatus> {
        self.0.status.get()
    }

    /// The pipe at this descriptor of the child, while it is open: for what any connection can do, such as pausing to
    /// read (so that the child must wait), half-closing, or a producer.
    #[must_use]
    pub fn pipe(&self, descriptor: u32) -> Option<Transport> {
        self.0.pipe(descriptor)
    }

    /// Queues bytes for the child's standard input, like [`write_to_child`](Self::write_to_child).
    pub fn write(&self, data: impl AsRef<[u8]>) {
        self.write_to_child(0, data);
    }

    /// Queues bytes for the child to read at this descriptor; dropped if that pipe has ended, and if nothing is mapped
    /// there for us to write to.
    #[doc(alias = "writeToChild")]
    pub fn write_to_child(&self, descriptor: u32, data: impl AsRef<[u8]>) {
        if let Some(pipe) = self.pipe(descriptor) {
            pipe.write(data);
        }
    }

    /// Closes the child's standard input once everything queued is sent.
    #[doc(alias = "closeStdin")]
    pub fn close_stdin(&self) {
        self.close_child_descriptor(0);
    }

    /// Closes the child's standard output: the child gets an error, or a signal, when it writes there.
    #[doc(alias = "closeStdout")]
    pub fn close_stdout(&self) {
        self.close_child_descriptor(1);
    }

    /// Closes the child's standard error.
    #[doc(alias = "closeStderr")]
    pub fn close_stderr(&self) {
        self.close_child_descriptor(2);
    }

    /// Closes our end of the pipe at this descriptor once everything queued is sent.
    #[doc(alias = "closeChildFD")]
    pub fn close_child_descriptor(&self, descriptor: u32) {
        if let Some(pipe) = self.pipe(descriptor) {
            pipe.lose_connection();
        }
    }

    /// Closes all pipes, each once everything queued is sent. The child is not signalled.
    #[doc(alias = "loseConnection")]
    pub fn lose_connection(&self) {
        self.0.lose_pipes();
    }

    /// Sends a signal at the end of this turn. One that the kernel refuses (a number it does not have, a child that is
    /// another user's by now) is logged.
    ///
    /// # Errors
    ///
    /// The child has exited (R92).
    #[doc(alias = "signalProcess")]
    pub fn signal_process(
        &self,
        signal: impl Into<SignalNumber>,
    ) -> Result<(), ProcessExitedAlready> {
        if self.status().is_some() {
            return Err(ProcessExitedAlready);
        }
        let (id, signal) = (self.0.id, signal.into());
        self.0
            .handle
            .command(move |engine| engine.signal_process(id, signal));
        Ok(())
    }

    /// Kills the child, unless it has exited.
    pub fn kill(&self) {
        let _exited = self.signal_process(SignalNumber::KILL);
    }

    /// The reactor that the child was started by.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.0.handle
    }
}

impl fmt::Debug for ProcessTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessTransport({} {:?})", self.0.program, self.0.pid)
    }
}
