//! A folder of the disk that nothing leads out of.
//!
//! ```text
//!   Folder::open("/srv/www") ─► descriptor ─┬─ openat2(path, RESOLVE_BENEATH)     Linux 5.6 on
//!                                           └─ openat(name, O_NOFOLLOW) per name  elsewhere: no links at all
//! ```
//!
//! The root is a descriptor, opened once: every look-up begins there and the kernel itself refuses to leave it, whatever links are swapped
//! meanwhile (H1-23). Checking a path first and opening it then is a race that somebody wins.
//!
//! Opening and looking hold up the loop for as long as the disk takes, as in nginx; put slow network file systems behind a process of
//! their own.
//!
//! For UNIX. Other systems have no such descriptors; a [`FileTree`] of your own serves there, and must not be a check that comes before the
//! opening.

#[cfg(all(test, target_os = "linux"))]
mod races;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ropewalk_core::Descriptor;
use ropewalk_core::buffer::FileSource;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::file_tree::{FileEntry, FileNode, FileStat, FileTree};

/// Open without waiting, whatever it is: a pipe in the folder must not hold up the loop.
const READ: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// A folder of the disk, and all below it. On UNIX; on Linux since 5.6 links inside may be followed.
pub struct Folder {
    root: OwnedFd,
    follows_links: bool,
    /// Whether the kernel has no `openat2`, or a sandbox forbids it.
    walks: Cell<bool>,
}

impl Folder {
    /// Opens a folder to be served. Who replaces it later, by a rename or a link that leads elsewhere, must start anew.
    ///
    /// # Errors
    ///
    /// It is no folder, or may not be read: better found at the start than served as something else.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let path = path.as_ref();
        let root = openat(CWD, path, READ | OFlags::DIRECTORY, Mode::empty());
        let root = root.map_err(|error| FolderError {
            path: path.to_owned(),
            error: error.into(),
        })?;
        Ok(Self {
            root,
            follows_links: true,
            walks: Cell::new(cfg!(not(any(target_os = "linux", target_os = "android")))),
        })
    }

    /// Refuses all symbolic links. Else those are followed that stay below the folder, relative ones only, where the kernel can say
    /// so.
    #[must_use]
    pub fn without_links(self) -> Self {
        Self {
            follows_links: false,
            ..self
        }
    }

    fn open_beneath(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        if !self.walks.get() {
            match self.resolve(path, flags) {
                Err(Errno::NOSYS | Errno::PERM) => self.walks.set(true),
                opened => return Ok(opened?),
            }
        }
        Ok(self.walk(path, flags)?)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};

        /// A rename anywhere on the disk may disturb a look-up through `..` of a link.
        const TRIES: usize = 8;

        let mut how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        how.set(ResolveFlags::NO_SYMLINKS, !self.follows_links);
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match openat2(&self.root, path, flags, Mode::empty(), how) {
                Err(Errno::AGAIN | Errno::INTR) if tries > 0 => {}
                opened => return opened,
            }
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn resolve(&self, _: &str, _: OFlags) -> Result<OwnedFd, Errno> {
        Err(Errno::NOSYS)
    }

    /// Name by name, each relative to the one before, and no link followed.
    fn walk(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
        let mut here: Option<OwnedFd> = None;
        for name in folders.split('/').filter(|name| !name.is_empty()) {
            let step = READ | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            here = Some(self.step(here.as_ref(), name, step)?);
        }
        self.step(here.as_ref(), last, flags | OFlags::NOFOLLOW)
    }

    fn step(&self, here: Option<&OwnedFd>, name: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        if name == ".." || name.contains('/') {
            return Err(Errno::NOENT);
        }
        openat(here.unwrap_or(&self.root), name, flags, Mode::empty())
    }

    /// A line of a listing; none for what would not be served.
    fn entry(&self, folder: &str, opened: &OwnedFd, name: &str) -> Option<FileEntry> {
        let mut stat = statat(opened, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if kind(&stat) == FileType::Symlink {
            let path = match folder {
                "" => name.to_owned(),
                folder => format!("{folder}/{name}"),
            };
            stat = fstat(self.open_beneath(&path, READ).ok()?).ok()?;
        }
        let is_folder = match kind(&stat) {
            FileType::Directory => true,
            FileType::RegularFile => false,
            _ => return None,
        };
        let FileStat {
            length, modified, ..
        } = told(&stat);
        Some(FileEntry {
            name: name.to_owned(),
            is_folder,
            length,
            modified,
        })
    }
}

impl FileTree for Folder {
    fn open(&self, path: &str) -> io::Result<FileNode> {
        let opened = self.open_beneath(path, READ)?;
        let stat = fstat(&opened)?;
        match kind(&stat) {
            FileType::Directory => Ok(FileNode::Folder),
            FileType::RegularFile => {
                Ok(FileNode::File(Rc::new(OpenFile::new(opened)), told(&stat)))
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// It may be told of a file outside, through a link; but that is not equal to anything that was opened.
    fn stat(&self, path: &str) -> io::Result<FileStat> {
        Ok(told(&statat(&self.root, path, AtFlags::empty())?))
    }

    fn list(&self, path: &str, most: usize) -> io::Result<Vec<FileEntry>> {
        let opened = self.open_beneath(path, READ | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for found in Dir::read_from(&opened)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else {
                continue; // No URL of ours can name it.
            };
            if !matches!(name, "." | "..") {
                entries.extend(self.entry(path, &opened, name));
            }
            if entries.len() >= most {
                break;
            }
        }
        Ok(entries)
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("follows_links", &self.follows_links)
            .finish_non_exhaustive()
    }
}

/// An open file, which a driver may have sent by the kernel.
struct OpenFile(Descriptor);

impl OpenFile {
    fn new(file: OwnedFd) -> Self {
        Self(Descriptor::new(file))
    }
}

impl FileSource for OpenFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let file: &OwnedFd = self.0.inner().expect("it was made of one");
        Ok(rustix::io::pread(file.as_fd(), buffer, offset)?)
    }

    fn descriptor(&self) -> Option<&Descriptor> {
        Some(&self.0)
    }
}

/// A folder cannot be served.
#[derive(Debug)]
pub struct FolderError {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, error } = self;
        write!(
            f,
            "cannot serve the files in {path:?}: {error}; give a folder that exists and may be read"
        )
    }
}

impl std::error::Error for FolderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the types of the fields differ from system to system"
)]
fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode as _)
}

#[allow(
    clippy::unnecessary_cast,
    reason = "the types of the fields differ from system to system"
)]
fn told(stat: &Stat) -> FileStat {
    let changed = (stat.st_ctime as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(stat.st_ctime_nsec as u64);
    FileStat {
        length: stat.st_size as u64,
        modified: time(stat.st_mtime as i64, stat.st_mtime_nsec as u32),
        identity: [stat.st_dev as u64, stat.st_ino as u64, changed],
    }
}

/// Times before 1970, which broken disks have, as what they are.
fn time(seconds: i64, nanos: u32) -> SystemTime {
    let (epoch, whole) = (
        SystemTime::UNIX_EPOCH,
        Duration::from_secs(seconds.unsigned_abs()),
    );
    let at_second = match seconds {
        0.. => epoch.checked_add(whole),
        _ => epoch.checked_sub(whole),
    };
    at_second
        .and_then(|time| time.checked_add(Duration::from_nanos(nanos.into())))
        .unwrap_or(epoch)
}
