//! Where static files lie: a folder of the disk, memory, or whatever you make.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use ropewalk_core::buffer::FileSource;

/// Files below a root, by their paths: what [`StaticFiles`](crate::StaticFiles) serves.
///
/// Paths are as [`FilePath::as_str`](crate::FilePath::as_str) has them: `a/b`, and empty for the root itself. Errors become answers by their
/// kind: `PermissionDenied` 403, a lack of descriptors or memory 503, and all else 404.
pub trait FileTree: 'static {
    /// Opens what is at a path.
    ///
    /// # Errors
    ///
    /// There is nothing that may be served.
    fn open(&self, path: &str) -> io::Result<FileNode>;

    /// What is at a path, compared with what was opened there before: equal only if the content is the same. It may be cheaper
    /// than to open it, and nothing else is done with it.
    ///
    /// # Errors
    ///
    /// There is nothing any more.
    fn stat(&self, path: &str) -> io::Result<FileStat>;

    /// What is in a folder, at most `most`, in any order.
    ///
    /// # Errors
    ///
    /// It is no folder, or cannot be read.
    fn list(&self, path: &str, most: usize) -> io::Result<Vec<FileEntry>>;
}

/// What is at a path, open.
pub enum FileNode {
    /// A file.
    File(Rc<dyn FileSource>, FileStat),
    /// A folder.
    Folder,
}

/// What a state of a file is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStat {
    /// Bytes.
    pub length: u64,
    /// When the content last changed, as shown to clients.
    pub modified: SystemTime,
    /// Whatever else changes with the content: the number of the file, of its state.
    pub identity: [u64; 3],
}

/// One line of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Bytes; of a folder, whatever the system says.
    pub length: u64,
    /// When it last changed.
    pub modified: SystemTime,
}

/// Files in memory: compiled in, or of a simulated world.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{MemoryFiles, Site, StaticFiles};
///
/// let files = MemoryFiles::new().with_file("hello.txt", "Hello, files!");
/// let mut client = StringTransport::builder().factory(Site::new(StaticFiles::new(files)));
/// client.receive("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert!(client.take_sent().ends_with(b"Hello, files!"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(BTreeMap<String, (Bytes, SystemTime)>);

impl MemoryFiles {
    /// No files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a file at this path, which has no slash at its ends; folders are wherever files are. It is as old as time.
    #[must_use]
    pub fn with_file(self, path: &str, content: impl Into<Bytes>) -> Self {
        self.with_file_of(path, content, SystemTime::UNIX_EPOCH)
    }

    /// The same with a file that was modified at this time.
    #[must_use]
    pub fn with_file_of(
        mut self,
        path: &str,
        content: impl Into<Bytes>,
        modified: SystemTime,
    ) -> Self {
        self.0.insert(path.to_owned(), (content.into(), modified));
        self
    }

    /// What is below a folder, with the rest of its path.
    fn below<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a (Bytes, SystemTime))> {
        self.0.iter().filter_map(move |(path, file)| {
            let rest = path.strip_prefix(folder)?;
            let rest = match folder {
                "" => rest,
                _ => rest.strip_prefix('/')?,
            };
            Some((rest, file))
        })
    }

    fn stat_of(content: &Bytes, modified: SystemTime) -> FileStat {
        FileStat {
            length: content.len() as u64,
            modified,
            identity: [content.as_ptr() as u64, 0, 0],
        }
    }
}

impl FileTree for MemoryFiles {
    fn open(&self, path: &str) -> io::Result<FileNode> {
        if let Some((content, modified)) = self.0.get(path) {
            let stat = Self::stat_of(content, *modified);
            return Ok(FileNode::File(Rc::new(content.clone()), stat));
        }
        match path.is_empty() || self.below(path).next().is_some() {
            true => Ok(FileNode::Folder),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn stat(&self, path: &str) -> io::Result<FileStat> {
        match self.0.get(path) {
            Some((content, modified)) => Ok(Self::stat_of(content, *modified)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, path: &str, most: usize) -> io::Result<Vec<FileEntry>> {
        let mut entries: Vec<FileEntry> = Vec::new();
        for (rest, (content, modified)) in self.below(path) {
            let (name, is_folder) = match rest.split_once('/') {
                Some((name, _)) => (name, true),
                None => (rest, false),
            };
            let is_known = entries.last().is_some_and(|last| last.name == name);
            if !is_known && entries.len() < most {
                entries.push(FileEntry {
                    name: name.to_owned(),
                    is_folder,
                    length: content.len() as u64,
                    modified: *modified,
                });
            }
        }
        Ok(entries)
    }
}
