//! Stretches of files on their way out, which are read when the peer wants them.

use std::fmt;
use std::io;
use std::rc::Rc;

use bytes::Bytes;

use crate::descriptor::Descriptor;

/// How much of a file is read at a time where its bytes are needed (R160).
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Bytes that lie elsewhere and can be read from anywhere: an open file.
///
/// It is read on the reactor's turn, so it answers at once or holds up the loop: local files, memory.
pub trait FileSource: 'static {
    /// Fills the front of `buffer` with what lies at `offset`; gives how much that is, none only at the end.
    ///
    /// # Errors
    ///
    /// It cannot be read; the connection that sends it ends.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// The same as an open descriptor, which a driver that understands it may have sent by the kernel.
    fn descriptor(&self) -> Option<&Descriptor> {
        None
    }
}

/// Memory, for simulated worlds and what is compiled in.
impl FileSource for Bytes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// A stretch of a file; clones share the file, which is closed with the last of them.
#[derive(Clone)]
pub struct FileRange {
    source: Rc<dyn FileSource>,
    offset: u64,
    length: usize,
}

impl FileRange {
    /// The `length` bytes from `offset` on. The file must have them when they are sent: what is missing ends the connection.
    #[must_use]
    pub const fn new(source: Rc<dyn FileSource>, offset: u64, length: usize) -> Self {
        Self {
            source,
            offset,
            length,
        }
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &dyn FileSource {
        &*self.source
    }

    /// Where it begins in the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads its beginning behind what `buffer` has, at most `most` bytes, and is shorter by that.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or ends before the range does (`UnexpectedEof`); nothing has changed.
    pub fn read(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<()> {
        let (before, wanted) = (buffer.len(), self.length.min(most));
        buffer.resize(before + wanted, 0);
        let read = loop {
            match self.source.read_at(&mut buffer[before..], self.offset) {
                Ok(0) if wanted > 0 => break Err(self.ended_early()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        buffer.truncate(before + read.as_ref().map_or(0, |&count| count.min(wanted)));
        self.skip(read?.min(wanted));
        Ok(())
    }

    /// The error of a file that became shorter since its length was told.
    #[must_use]
    pub fn ended_early(&self) -> io::Error {
        let message = format!(
            "a file became shorter while it was sent: it ends at or before byte {}, and {} more were announced",
            self.offset, self.length
        );
        io::Error::new(io::ErrorKind::UnexpectedEof, message)
    }

    pub(super) const fn skip(&mut self, count: usize) {
        self.offset += count as u64;
        self.length -= count;
    }
}

impl fmt::Debug for FileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileRange({} bytes from {})", self.length, self.offset)
    }
}
