//! Stderr, or another descriptor, as a place for lines that nobody waits for.
//!
//! ```text
//!   line ── does it fit at once? ── yes ──► write
//!                  └─ no ──► queue, bounded ──► a thread that waits in our stead, until the queue is empty
//! ```
//!
//! Why not a thread for all lines: what was logged last before the end of a process would often be lost, and order beside
//! other writers with it. Not for files: those are always written at once.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};

/// A pipe that says it takes something takes this much at once (POSIX has 512 at least, Linux a page).
const AT_ONCE: usize = 4096;

/// How many bytes wait: more than a burst, and little memory if nobody ever reads. Whoever makes a service log fills it.
const LIMIT_BYTES: usize = 1 << 20;

/// Takes lines, and never blocks. Clones are the same.
#[derive(Clone)]
pub struct Spool(Arc<Inner>);

struct Inner {
    target: Box<dyn AsFd + Send + Sync>,
    queue: Mutex<Queue>,
    emptied: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<u8>,
    /// How many bytes the thread has taken out and is writing: they count until all of them are written.
    under_way: usize,
    /// A thread writes, and will look here again.
    is_drained: bool,
}

impl Spool {
    /// In front of stderr.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }

    /// In front of any descriptor.
    pub fn new(target: impl AsFd + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            target: Box::new(target),
            queue: Mutex::default(),
            emptied: Condvar::new(),
        }))
    }

    /// Writes a line, at once or later, after those before it.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: it is lost, because 1 MiB waits for a reader already. Or what the kernel said, if it was written at once.
    pub fn write_line(&self, line: &[u8]) -> io::Result<()> {
        let mut queue = self.0.lock();
        if !queue.is_drained && line.len() <= AT_ONCE && self.0.takes_some() {
            return Ok(self.0.write_all(line)?);
        }
        if queue.waiting.len() + queue.under_way + line.len() > LIMIT_BYTES {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "nobody reads it"));
        }
        queue.waiting.extend_from_slice(line);
        if !queue.is_drained {
            let inner = Arc::clone(&self.0);
            let thread = thread::Builder::new().name("ropewalk-log".to_owned());
            thread.spawn(move || inner.drain())?;
            queue.is_drained = true;
        }
        Ok(())
    }

    /// Waits until nothing waits any more, at most so long: before the end of a process. Whether it is so.
    pub fn flush(&self, longest: Duration) -> bool {
        let queue = self.0.lock();
        let (queue, _) = self
            .0
            .emptied
            .wait_timeout_while(queue, longest, |queue| queue.is_drained)
            .unwrap_or_else(PoisonError::into_inner);
        !queue.is_drained
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn takes_some(&self) -> bool {
        let mut target = [PollFd::new(&self.target, PollFlags::OUT)];
        matches!(poll(&mut target, Some(&Timespec::default())), Ok(1..))
    }

    /// Past the standard library's handle, whose lock whoever panics would wait for.
    fn write_all(&self, mut data: &[u8]) -> Result<(), Errno> {
        while !data.is_empty() {
            match retry_on_intr(|| rustix::io::write(&self.target, data)) {
                Ok(length) => data = &data[length..],
                // Somebody else made it non-blocking.
                Err(Errno::AGAIN) => {
                    let mut target = [PollFd::new(&self.target, PollFlags::OUT)];
                    retry_on_intr(|| poll(&mut target, None))?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what waits, until nothing does. What cannot be written is lost, and the log goes on.
    fn drain(&self) {
        let mut queue = self.lock();
        while !queue.waiting.is_empty() {
            let lines = std::mem::take(&mut queue.waiting);
            queue.under_way = lines.len();
            drop(queue);
            let _nobody_to_tell = self.write_all(&lines);
            queue = self.lock();
            queue.under_way = 0;
        }
        queue.is_drained = false;
        self.emptied.notify_all();
    }
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.0.lock();
        write!(
            f,
            "Spool({} bytes wait)",
            queue.waiting.len() + queue.under_way
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_blocks_nobody_and_what_was_taken_comes_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let spool = Spool::new(writer);
        let mut taken = 0;
        let error = loop {
            let line = format!("{taken:0999}\n");
            match spool.write_line(line.as_bytes()) {
                Ok(()) => taken += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(taken >= LIMIT_BYTES / 1000, "{taken} lines");
        assert!(!spool.flush(Duration::ZERO));

        let mut line = [0; 1000];
        for number in 0..taken {
            reader.read_exact(&mut line).unwrap();
            assert!(line.starts_with(format!("{number:0999}").as_bytes()));
        }
        assert!(spool.flush(Duration::MAX));
        spool.write_line(b"at once again\n").unwrap();
        drop(spool);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "at once again\n");
    }

    #[test]
    fn a_line_longer_than_a_pipe_blocks_nobody() {
        let (mut reader, writer) = io::pipe().unwrap();
        let spool = Spool::new(writer);
        spool.write_line(&[b'x'; LIMIT_BYTES]).unwrap();
        assert!(spool.write_line(&[b'x'; LIMIT_BYTES]).is_err());
        let mut all = vec![0; LIMIT_BYTES];
        reader.read_exact(&mut all).unwrap();
        assert!(spool.flush(Duration::MAX));
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let error = Spool::new(writer).write_line(b"lost\n").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
