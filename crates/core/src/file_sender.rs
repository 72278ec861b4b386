//! Sends what a reader has, at the speed of the peer.

use std::io::Read;

use crate::deferred::{Deferred, Resolver};
use crate::failure::Failure;
use crate::producer::Producer;
use crate::transport::Transport;

/// How much is read at a time (R72): enough to keep a link busy, little enough that a slow disk does not hold the loop.
const CHUNK_BYTES: usize = 16 * 1024;

/// A pull producer that reads chunks of 16 KiB on demand; see [`Transport::send_file`].
pub(crate) struct FileSender<R> {
    reader: R,
    sent: u64,
    resolver: Option<Resolver<u64>>,
}

impl Transport {
    /// Sends everything that a reader has, 16 KiB at a time, as fast as the peer takes it. Fires with the number of bytes
    /// once the last is queued, and fails if reading fails or the connection is lost before (R72).
    ///
    /// Reads on the reactor's thread: give it what answers at once, such as a file.
    #[doc(alias = "FileSender")]
    #[doc(alias = "beginFileTransfer")]
    pub fn send_file(&self, reader: impl Read + 'static) -> Deferred<u64> {
        let (deferred, resolver) = Deferred::new(self.reactor());
        let sender = FileSender {
            reader,
            sent: 0,
            resolver: Some(resolver),
        };
        match self.register_producer(sender, false) {
            Ok(()) => deferred,
            Err(error) => Deferred::fail(self.reactor(), error),
        }
    }
}

impl<R> FileSender<R> {
    fn finish(&mut self, transport: &Transport, result: Result<u64, Failure>) {
        transport.unregister_producer();
        if let Some(resolver) = self.resolver.take() {
            let _only_here = resolver.resolve_with(result);
        }
    }
}

impl<R: Read + 'static> Producer for FileSender<R> {
    fn resume_producing(&mut self, transport: &Transport) {
        let mut chunk = vec![0; CHUNK_BYTES];
        match self.reader.read(&mut chunk) {
            Ok(0) => self.finish(transport, Ok(self.sent)),
            Ok(read) => {
                chunk.truncate(read);
                self.sent += read as u64;
                transport.write_owned(chunk);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => self.finish(transport, Err(error.into())),
        }
    }

    fn stop_producing(&mut self, transport: &Transport) {
        let error =
            std::io::Error::other(format!("the connection ended after {} bytes", self.sent));
        self.finish(transport, Err(error.into()));
    }
}
