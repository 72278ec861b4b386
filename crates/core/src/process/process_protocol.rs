//! What is told of a child.

use super::{ExitStatus, ProcessTransport};

/// Hears of one child process: of its pipes, by the child's descriptor number, and of its end.
///
/// Everything but what is wanted may be left out. A callback that panics is logged, and all pipes of its child are closed; the
/// rest is still told.
///
/// ```
/// use ropewalk_core::process::{ExitStatus, ProcessProtocol, ProcessTransport};
///
/// struct WordCount;
///
/// impl ProcessProtocol for WordCount {
///     fn process_started(&mut self, transport: &ProcessTransport) {
///         transport.write("one two three");
///         transport.close_stdin();
///     }
///     fn out_received(&mut self, _transport: &ProcessTransport, data: &[u8]) {
///         println!("{}", String::from_utf8_lossy(data));
///     }
///     fn process_ended(&mut self, _transport: &ProcessTransport, status: ExitStatus) {
///         println!("{status}");
///     }
/// }
/// ```
pub trait ProcessProtocol: 'static {
    /// The child runs, and every pipe is open.
    #[doc(alias = "connectionMade")]
    fn process_started(&mut self, transport: &ProcessTransport) {
        let _ = transport;
    }

    /// The child wrote to this descriptor: at least one byte, cut anywhere. Unless this is overridden, 1 goes to
    /// [`out_received`](Self::out_received) and 2 to [`err_received`](Self::err_received).
    #[doc(alias = "childDataReceived")]
    fn child_data_received(&mut self, transport: &ProcessTransport, descriptor: u32, data: &[u8]) {
        match descriptor {
            1 => self.out_received(transport, data),
            2 => self.err_received(transport, data),
            _ => {}
        }
    }

    /// The child wrote to its standard output.
    #[doc(alias = "outReceived")]
    fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let _ = (transport, data);
    }

    /// The child wrote to its standard error.
    #[doc(alias = "errReceived")]
    fn err_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let _ = (transport, data);
    }

    /// A pipe has ended, by the child or by us; told once for each. Unless this is overridden, 0, 1 and 2 go to the
    /// three below.
    #[doc(alias = "childConnectionLost")]
    fn child_connection_lost(&mut self, transport: &ProcessTransport, descriptor: u32) {
        match descriptor {
            0 => self.in_connection_lost(transport),
            1 => self.out_connection_lost(transport),
            2 => self.err_connection_lost(transport),
            _ => {}
        }
    }

    /// The child reads its standard input no more, or we closed it.
    #[doc(alias = "inConnectionLost")]
    fn in_connection_lost(&mut self, transport: &ProcessTransport) {
        let _ = transport;
    }

    /// The child's standard output has ended.
    #[doc(alias = "outConnectionLost")]
    fn out_connection_lost(&mut self, transport: &ProcessTransport) {
        let _ = transport;
    }

    /// The child's standard error has ended.
    #[doc(alias = "errConnectionLost")]
    fn err_connection_lost(&mut self, transport: &ProcessTransport) {
        let _ = transport;
    }

    /// More waits for the child to read at this descriptor than the high-water mark allows: write no more for now.
    #[doc(alias = "pauseProducing")]
    fn writing_paused(&mut self, transport: &ProcessTransport, descriptor: u32) {
        let _ = (transport, descriptor);
    }

    /// The child has read all of it.
    #[doc(alias = "resumeProducing")]
    fn writing_resumed(&mut self, transport: &ProcessTransport, descriptor: u32) {
        let _ = (transport, descriptor);
    }

    /// The child has exited. What it wrote may still come, and its children may still write (R90).
    #[doc(alias = "processExited")]
    fn process_exited(&mut self, transport: &ProcessTransport, status: ExitStatus) {
        let _ = (transport, status);
    }

    /// The child has exited and all its pipes have ended; nothing more is told (R90).
    #[doc(alias = "processEnded")]
    fn process_ended(&mut self, transport: &ProcessTransport, status: ExitStatus) {
        let _ = (transport, status);
    }
}
