//! What the file system sees of UNIX sockets (R88): modes, locks, stale paths; and peers that nobody here wrote.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ropewalk_core::address::{Address, UnixAddress};
use ropewalk_core::driver::{Driver, Listen, ListenerId};
use ropewalk_mio::MioDriver;

/// A directory of its own, gone at the end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ropewalk-unix-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

pub(crate) fn listen(path: &Path, lock: bool) -> Listen {
    let mut listen = Listen::new(Address::Unix(UnixAddress::path(path)));
    listen.unix.lock = lock;
    listen
}

fn try_listen(driver: &mut MioDriver, path: &Path, lock: bool) -> Result<ListenerId, String> {
    match driver.listen(&listen(path, lock)) {
        Ok((id, _)) => Ok(id),
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
            Err(error.to_string())
        }
    }
}

/// What a server that was killed leaves.
fn die_at(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(fs::symlink_metadata(path).is_ok());
}

#[test]
fn r088_the_path_has_the_mode_asked_for_whatever_the_umask() {
    let (directory, mut driver) = (Directory::new(), MioDriver::new().unwrap());
    for mode in [0o666, 0o600, 0o660, 0o777, 0] {
        let path = directory.path("socket");
        let mut listen = listen(&path, false);
        listen.unix.mode = mode;
        let (id, _) = driver.listen(&listen).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{mode:o}");
        driver.stop_listening(id);
        assert!(!path.exists());
    }
}

#[test]
fn r088_a_driver_that_goes_takes_its_paths_along() {
    let directory = Directory::new();
    let path = directory.path("socket");
    for lock in [false, true] {
        let mut driver = MioDriver::new().unwrap();
        try_listen(&mut driver, &path, lock).unwrap();
        assert!(path.exists());
        assert_eq!(directory.path("socket.lock").exists(), lock);
        drop(driver);
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0);
    }
}

#[test]
fn r088_a_path_that_is_another_servers_by_now_is_not_removed() {
    let (directory, mut driver) = (Directory::new(), MioDriver::new().unwrap());
    let path = directory.path("socket");
    let id = try_listen(&mut driver, &path, false).unwrap();
    fs::rename(&path, directory.path("old")).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    driver.stop_listening(id);
    assert!(path.exists(), "it is theirs");
}

#[test]
fn r088_a_dead_servers_path_is_taken_over_with_the_lock_only() {
    let (directory, mut driver) = (Directory::new(), MioDriver::new().unwrap());
    let path = directory.path("socket");
    die_at(&path);
    let dead = fs::metadata(&path).unwrap().ino();
    let error = try_listen(&mut driver, &path, false).unwrap_err();
    assert!(error.contains("lock=yes"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().ino(), dead);
    // Also when it left its lock: a killed process holds none.
    File::create(directory.path("socket.lock")).unwrap();
    let id = try_listen(&mut driver, &path, true).unwrap();
    UnixStream::connect(&path).unwrap();
    let lock = fs::read_to_string(directory.path("socket.lock")).unwrap();
    assert_eq!(lock.trim(), std::process::id().to_string());
    driver.stop_listening(id);
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 0);
}

#[test]
fn r088_a_live_server_is_never_pushed_aside() {
    let (directory, mut driver) = (Directory::new(), MioDriver::new().unwrap());
    let path = directory.path("socket");
    let first = UnixListener::bind(&path).unwrap();
    for lock in [false, true] {
        let error = try_listen(&mut driver, &path, lock).unwrap_err();
        assert!(error.contains("another server has it"), "{error}");
    }
    drop(first);
    fs::remove_file(&path).unwrap();
    try_listen(&mut driver, &path, true).unwrap();
    let mut second = MioDriver::new().unwrap();
    let error = try_listen(&mut second, &path, true).unwrap_err();
    assert!(error.contains("socket.lock"), "{error}");
}

#[test]
fn r088_what_is_no_socket_is_left_alone() {
    let (directory, mut driver) = (Directory::new(), MioDriver::new().unwrap());
    let path = directory.path("precious");
    fs::write(&path, "data").unwrap();
    for lock in [false, true] {
        let error = try_listen(&mut driver, &path, lock).unwrap_err();
        assert!(error.contains("no socket"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"data");
    // A lock that is a symbolic link is Twisted's, or somebody's trap.
    symlink(&path, directory.path("socket.lock")).unwrap();
    let error = try_listen(&mut driver, &directory.path("socket"), true).unwrap_err();
    assert!(error.contains("symbolic link"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"data");
}

#[test]
fn a_directory_that_is_not_there_is_said() {
    let (directory, mut driver) = (Directory::new(), MioDriver::new().unwrap());
    let path = directory.path("nowhere/socket");
    for lock in [false, true] {
        let error = driver.listen(&listen(&path, lock)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    }
}
