//! Files that came in forms.
//!
//! ```text
//!   part ── chunks ──► memory, while there is room ──► temporary file, 0600, written in the thread pool
//! ```
//!
//! Why threads: a write to a file is a copy into the page cache, until the kernel finds too many dirty pages, and then it blocks for
//! seconds. So the reactor's thread never writes; a chunk of 256 KiB at a time goes to the pool, and the client's next bytes are
//! not read before it is written.

use std::fmt;
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use ropewalk_core::{Failure, Handle};
use tempfile::{Builder, NamedTempFile, TempPath};

/// How much is collected before the pool writes it.
const WRITE_BYTES: usize = 256 * 1024;

/// A file of a form: in memory if it is small, else in a temporary file that only this user can read (H1-25), and that is gone when
/// this is dropped.
pub struct Upload {
    filename: String,
    content_type: Option<String>,
    length: u64,
    content: Stored,
    reactor: Handle,
}

enum Stored {
    Memory(Bytes),
    Disk(TempPath),
}

impl Upload {
    /// What the client calls it, without folders. It is the client's choice: store nothing under it.
    pub fn filename(&self) -> &str {
        &self.filename
    }

    /// What the client says that it is, which need not be true.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Where it lies until this is dropped; `None` if it is in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.content {
            Stored::Memory(_) => None,
            Stored::Disk(path) => Some(path),
        }
    }

    /// Its content, read in the thread pool if it is on disk.
    ///
    /// # Errors
    ///
    /// The temporary file cannot be read.
    pub async fn bytes(&self) -> Result<Bytes, Failure> {
        match &self.content {
            Stored::Memory(bytes) => Ok(bytes.clone()),
            Stored::Disk(path) => {
                let path = path.to_path_buf();
                let read = move || Ok(Bytes::from(std::fs::read(&path).map_err(named(&path))?));
                self.reactor.defer_to_thread(read).await
            }
        }
    }

    /// Keeps it as the file `path`, in the place of what may be there: all of it or, on an error, nothing. The work is done in the thread
    /// pool.
    ///
    /// It is renamed if it is on the same file system, which [`UploadLimits::directory`](crate::UploadLimits::directory) can bring
    /// about, and copied otherwise. The file can be read by this user only.
    ///
    /// # Errors
    ///
    /// The file cannot be written; the error names it.
    pub async fn persist(mut self, path: impl Into<PathBuf>) -> Result<(), Failure> {
        let (content, path) = (mem::take(&mut self.content), path.into());
        let keep = move || content.persist(&path).map_err(named(&path));
        self.reactor.defer_to_thread(keep).await
    }
}

impl Stored {
    fn persist(self, path: &Path) -> io::Result<()> {
        let source = match self {
            Self::Memory(bytes) => return write_beside(path, |file| file.write_all(&bytes)),
            Self::Disk(source) => source,
        };
        match source.persist(path) {
            Ok(()) => Ok(()),
            Err(failed) if failed.error.kind() == io::ErrorKind::CrossesDevices => {
                let mut from = std::fs::File::open(&failed.path)?;
                write_beside(path, |file| io::copy(&mut from, file).map(drop))
            }
            Err(failed) => Err(failed.error),
        }
    }
}

/// Writes a file beside its place, and puts it there once it is whole.
fn write_beside(
    path: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> io::Result<()>,
) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = Builder::new().tempfile_in(parent.unwrap_or(Path::new(".")))?;
    write(&mut file)?;
    file.persist(path)?;
    Ok(())
}

fn named(path: &Path) -> impl Fn(io::Error) -> Failure + use<> {
    let path = path.display().to_string();
    move |error| Failure::message(format_args!("the uploaded file {path}: {error}"))
}

impl Default for Stored {
    fn default() -> Self {
        Self::Memory(Bytes::new())
    }
}

/// Removing a large file takes time, so that it is done in the pool too.
impl Drop for Upload {
    fn drop(&mut self) {
        if let Stored::Disk(path) = mem::take(&mut self.content) {
            self.reactor.run_in_thread(move || drop(path));
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, length) = (&self.filename, self.length);
        let place = self.path().map_or("memory", |_| "a file");
        write!(f, "Upload({name:?}, {length} bytes in {place})")
    }
}

/// An upload that is coming in.
pub(crate) struct Spool {
    upload: Upload,
    pending: BytesMut,
    file: Option<NamedTempFile>,
    directory: Option<PathBuf>,
}

impl Spool {
    pub(crate) fn new(
        filename: String,
        content_type: Option<String>,
        reactor: &Handle,
        directory: Option<PathBuf>,
    ) -> Self {
        let upload = Upload {
            filename,
            content_type,
            length: 0,
            content: Stored::default(),
            reactor: reactor.clone(),
        };
        Self {
            upload,
            pending: BytesMut::new(),
            file: None,
            directory,
        }
    }

    /// Takes more of it; `memory_bytes` is how much more there may be in memory.
    pub(crate) async fn write(&mut self, data: &[u8], memory_bytes: &mut usize) -> io::Result<()> {
        self.upload.length += data.len() as u64;
        self.pending.extend_from_slice(data);
        if self.file.is_none() {
            if let Some(left) = memory_bytes.checked_sub(data.len()) {
                *memory_bytes = left;
                return Ok(());
            }
            // What was counted is on disk from here on.
            *memory_bytes += self.pending.len() - data.len();
            return self.flush().await;
        }
        match self.pending.len() >= WRITE_BYTES {
            true => self.flush().await,
            false => Ok(()),
        }
    }

    pub(crate) async fn finish(mut self) -> io::Result<Upload> {
        if self.file.is_some() {
            self.flush().await?;
        }
        self.upload.content = match self.file {
            Some(file) => Stored::Disk(file.into_temp_path()),
            None => Stored::Memory(self.pending.freeze()),
        };
        Ok(self.upload)
    }

    /// Writes what waits, into a new file if there is none. If nobody waits any more the file is gone with the job.
    async fn flush(&mut self) -> io::Result<()> {
        let (file, data) = (self.file.take(), mem::take(&mut self.pending));
        let directory = self.directory.clone();
        let job = self.upload.reactor.defer_to_thread(move || {
            let write = || {
                let mut file = match file {
                    Some(file) => file,
                    None => create(directory.as_deref())?,
                };
                file.write_all(&data)?;
                Ok::<_, io::Error>(file)
            };
            Ok(write()?)
        });
        let written = job
            .await
            .map_err(|failure| io::Error::other(format!("{failure:#}")));
        self.file = Some(written?);
        Ok(())
    }
}

fn create(directory: Option<&Path>) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix("ropewalk-upload-");
    match directory {
        Some(directory) => builder.tempfile_in(directory),
        None => builder.tempfile(),
    }
}
