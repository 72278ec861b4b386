//! The path of a UNIX socket that listens or receives datagrams: how it is taken, who may use it, and that it goes when
//! the port does (R88).
//!
//! ```text
//!   lock PATH.lock ─► is somebody there? ─► remove a dead one ─► bind ─► set the mode ─► listen … ─► remove, unlock
//! ```
//!
//! **The mode** is set before `listen`: a socket that does not listen yet refuses everybody, so there is no moment in which
//! more may connect than asked for. One of datagrams receives from `bind` on; on Linux the mode of the socket limits that of
//! its path from the start, so it is set there too. A umask would be the whole process's, and so every thread's. (Binding
//! another name and renaming would do, but peers would be told that one.)
//!
//! **The lock** is an `flock`, which the kernel drops when its holder dies, however it dies. Twisted's, a symbolic link
//! that names a process, must guess whether that number is still the same process. A file beside the socket is needed,
//! because a socket cannot be opened. Whoever unlocks removes it first; whoever locked looks whether what it locked is
//! still what the path names, else it locks again.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::UnixOptions;
use socket2::{SockAddr, Socket};

use crate::unix_name;

/// Binds a socket to an address, ready to listen or to receive; what to keep as long as it does.
///
/// # Errors
///
/// The name does not fit, another has it, or it cannot be made.
pub(crate) fn bind(
    socket: &Socket,
    address: &UnixAddress,
    options: UnixOptions,
) -> io::Result<Option<UnixPath>> {
    let name = unix_name::to_kernel(address)?;
    match address.as_path() {
        Some(path) => UnixPath::bind(socket, &name, path, options).map(Some),
        None => match socket.bind(&name) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                Err(busy("another server has that name; take another".into()))
            }
            bound => bound.map(|()| None),
        },
    }
}

/// A path that is ours; dropping it removes it.
pub(crate) struct UnixPath {
    path: PathBuf,
    /// Which file it was when it was made, so that another's is not removed.
    inode: (u64, u64),
    lock: Option<Lock>,
}

impl UnixPath {
    /// Binds the socket to a path, ready to listen.
    ///
    /// # Errors
    ///
    /// Another server has the path, it is no socket, or it cannot be made.
    fn bind(
        socket: &Socket,
        address: &SockAddr,
        path: &Path,
        options: UnixOptions,
    ) -> io::Result<Self> {
        // The process may change its directory before the path is removed.
        let path = std::path::absolute(path)?;
        let lock = match options.lock {
            true => Some(Lock::take(&path)?),
            false => None,
        };
        if lock.is_some() {
            remove_dead(&path)?;
        }
        limit_mode(socket, options.mode)?;
        socket.bind(address).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => explain_busy(&path, error),
            io::ErrorKind::NotFound => no_directory(&path),
            _ => error,
        })?;
        let inode = inode(&path)?;
        let this = Self { path, inode, lock };
        fs::set_permissions(&this.path, Permissions::from_mode(options.mode))?;
        Ok(this)
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|now| now == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the path of a UNIX socket stays behind");
        }
        drop(self.lock.take()); // Last: who takes the lock next finds the path free.
    }
}

/// On Linux the path of a socket gets no more than the socket itself has.
fn limit_mode(socket: &Socket, mode: u32) -> io::Result<()> {
    let descriptor = File::from(OwnedFd::from(socket.try_clone()?));
    if let Err(error) = descriptor.set_permissions(Permissions::from_mode(mode)) {
        tracing::debug!(%error, "this kernel gives a socket no mode before it is bound");
    }
    Ok(())
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// What is at a path.
enum Found {
    Nothing,
    Dead,
    Live,
    /// A file of another kind.
    Other,
}

impl Found {
    fn at(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(error) => return Err(error),
            Ok(metadata) if !metadata.file_type().is_socket() => return Ok(Self::Other),
            Ok(_) => {}
        }
        // Who owns a path is known before what kind of socket it is, so this finds every kind (EPROTOTYPE), also one that
        // does not listen yet, and makes no connection that a server would see.
        let socket = Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None)?;
        match socket.connect(&SockAddr::unix(path)?) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(Self::Dead),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            _ => Ok(Self::Live),
        }
    }
}

/// With the lock held, a socket where nobody listens is what a dead server left.
fn remove_dead(path: &Path) -> io::Result<()> {
    match Found::at(path)? {
        Found::Nothing => Ok(()),
        Found::Dead => fs::remove_file(path),
        Found::Live => Err(busy("another server has it, without a lock".into())),
        Found::Other => Err(no_socket(path)),
    }
}

/// Says what the kernel's "address in use" means for a path.
fn explain_busy(path: &Path, error: io::Error) -> io::Error {
    match Found::at(path) {
        Ok(Found::Live) => busy("another server has it".into()),
        Ok(Found::Dead) => busy(
            "a server that died left its path there; remove it, or listen with a lock (lock=yes), which takes it over"
                .into(),
        ),
        Ok(Found::Other) => no_socket(path),
        Ok(Found::Nothing) | Err(_) => error,
    }
}

fn busy(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::AddrInUse, why)
}

fn no_directory(path: &Path) -> io::Error {
    let directory = path.parent().unwrap_or(path).display();
    let why = format!("there is no directory {directory}; make it first");
    io::Error::new(io::ErrorKind::NotFound, why)
}

fn no_socket(path: &Path) -> io::Error {
    let path = path.display();
    busy(format!(
        "{path} is there already and no socket; take another path"
    ))
}

/// `PATH.lock`, held.
struct Lock {
    path: PathBuf,
    /// Open as long as it is held.
    _file: File,
}

/// Another that lets go just now removes the file under us, so we try again; who could do that so often is at it on purpose.
const TRIES: usize = 100;

impl Lock {
    fn take(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        for _ in 0..TRIES {
            let mut file = open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let path = path.display();
                    return Err(busy(format!("another server holds the lock {path}")));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let held = file.metadata()?;
            if inode(&path).is_ok_and(|named| named == (held.dev(), held.ino())) {
                file.set_len(0)?;
                writeln!(file, "{}", std::process::id())?;
                return Ok(Self { path, _file: file });
            }
        }
        Err(busy(format!(
            "the lock {} is never the same",
            path.display()
        )))
    }
}

/// Through no symbolic link: in a directory that others may write to it could lead anywhere. Twisted's lock is one.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(path).map_err(|error| {
        let path = path.display();
        match error.raw_os_error() {
            Some(libc::ELOOP) => busy(format!(
                "the lock {path} is a symbolic link: another kind of server holds it, or died; remove it if so"
            )),
            _ => io::Error::new(error.kind(), format!("the lock {path} cannot be opened: {error}")),
        }
    })
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a lock file stays behind");
        }
    }
}
