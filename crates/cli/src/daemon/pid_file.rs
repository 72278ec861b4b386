//! A file with the number of this process, for as long as it runs.
//!
//! The lock on it says whether its process runs, not the number, which the kernel gives to somebody else in time. The number
//! counts for those who write pid files and lock none.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc::O_NOFOLLOW;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use ropewalk::Failure;

/// No number is longer, with its line break.
const LONGEST: u64 = 32;

/// The claimed file; gone when it is dropped.
#[derive(Debug)]
pub(crate) struct PidFile {
    path: PathBuf,
    file: File,
}

impl PidFile {
    /// Writes the number of this process to a new file, or to one whose process is no more.
    ///
    /// # Errors
    ///
    /// It is the file of a process that runs, or no pid file at all; or it cannot be written.
    pub(crate) fn claim(path: &Path) -> Result<Self, Failure> {
        let path = std::path::absolute(path)?;
        let mut file = lock(&path)?;
        refuse_living(&path, &mut file)?;
        let claimed = Self { path, file };
        claimed.write_number().map_err(|error| {
            let path = &claimed.path;
            Failure::message(format!("the pid file {path:?} cannot be written: {error}"))
        })?;
        Ok(claimed)
    }

    /// Inside of this root the file has another name; outside of it, it cannot be removed any more, only emptied.
    pub(crate) fn move_root(&mut self, root: &Path) {
        self.path = match self.path.strip_prefix(root) {
            Ok(inside) => Path::new("/").join(inside),
            Err(_) => PathBuf::new(),
        };
    }

    fn write_number(&self) -> io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.rewind()?;
        // Whatever the umask is: the number is no secret, and others need it.
        file.set_permissions(Permissions::from_mode(0o644))?;
        writeln!(file, "{}", std::process::id())
    }
}

impl Drop for PidFile {
    /// Removes the file, unless another has its name by now; where that is not allowed any more, empties it, which the next
    /// to come takes for nobody's.
    fn drop(&mut self) {
        if is_at(&self.path, &self.file) && fs::remove_file(&self.path).is_ok() {
            return;
        }
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(path = ?self.path, %error, "the pid file cannot be removed");
        }
    }
}

/// Opens and locks the file of this name. One that was removed between the two is not it any more.
fn lock(path: &Path) -> Result<File, Failure> {
    loop {
        let file = open(path).map_err(|error| {
            Failure::message(format!("the pid file {path:?} cannot be opened: {error}"))
        })?;
        match file.try_lock() {
            Ok(()) if is_at(path, &file) => return Ok(file),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(of_living(path, number_in(&file)?)),
            Err(TryLockError::Error(error)) => {
                let text = format!("the pid file {path:?} cannot be locked: {error}");
                return Err(Failure::message(text));
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(O_NOFOLLOW)
        .mode(0o644)
        .open(path)
}

fn is_at(path: &Path, file: &File) -> bool {
    match (fs::symlink_metadata(path), file.metadata()) {
        (Ok(there), Ok(here)) => (there.dev(), there.ino()) == (here.dev(), here.ino()),
        _ => false,
    }
}

fn refuse_living(path: &Path, file: &mut File) -> Result<(), Failure> {
    match number_in(file) {
        Ok(None) => Ok(()),
        // A restarted container gives the same few numbers again.
        Ok(Some(number)) if number == std::process::id() as i32 => Ok(()),
        Ok(Some(number)) if is_alive(number) => Err(of_living(path, Some(number))),
        Ok(Some(number)) => {
            tracing::info!(
                ?path,
                number,
                "the pid file of a process that is no more is taken over"
            );
            Ok(())
        }
        Err(_) => Err(Failure::message(format!(
            "{path:?} is no pid file, for there is more in it than a number; remove it or choose another --pidfile"
        ))),
    }
}

/// The number in the file; none in an empty one.
fn number_in(mut file: &File) -> io::Result<Option<i32>> {
    let mut text = String::new();
    file.rewind()?;
    file.take(LONGEST).read_to_string(&mut text)?;
    let wrong = |_| io::Error::from(io::ErrorKind::InvalidData);
    match text.trim() {
        "" => Ok(None),
        number => number.parse().map(Some).map_err(wrong),
    }
}

fn is_alive(number: i32) -> bool {
    let is_there = number > 0 && !matches!(kill(Pid::from_raw(number), None), Err(Errno::ESRCH));
    is_there && !is_zombie(number)
}

/// One that has ended, of which nobody took the status: in a container whose first process is no init, for ever.
fn is_zombie(number: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // The name before the state may have brackets of its own.
    let state = stat.rsplit_once(')').map(|(_, state)| state.trim_start());
    state.is_some_and(|state| state.starts_with(['Z', 'X']))
}

fn of_living(path: &Path, number: Option<i32>) -> Failure {
    let whose = number.map_or("a process".to_owned(), |number| format!("process {number}"));
    Failure::message(format!(
        "the pid file {path:?} belongs to {whose}, which runs; stop it first, or choose another --pidfile"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn complaint(path: &Path) -> String {
        PidFile::claim(path).unwrap_err().to_string()
    }

    #[test]
    fn it_has_the_number_and_is_gone_in_the_end() {
        let scratch = Scratch::new();
        let path = scratch.path("pid");
        let claimed = PidFile::claim(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        let error = complaint(&path);
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(claimed);
        assert!(!path.exists());
    }

    #[test]
    fn one_of_nobody_is_taken_over() {
        let scratch = Scratch::new();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        for text in [String::new(), "\n".to_owned(), format!("{}\n", ended.id())] {
            let path = scratch.path("pid");
            fs::write(&path, text).unwrap();
            drop(PidFile::claim(&path).unwrap());
            assert!(!path.exists());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_of_a_process_that_nobody_buried_is_taken_over() {
        let scratch = Scratch::new();
        let path = scratch.path("pid");
        let mut ended = std::process::Command::new("true")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Its end of the pipe is closed as it ends, just before the kernel calls it a zombie.
        std::io::copy(&mut ended.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
        let number = ended.id() as i32;
        while !is_zombie(number) {
            std::thread::yield_now();
        }
        fs::write(&path, format!("{number}\n")).unwrap();
        drop(PidFile::claim(&path).unwrap());
        ended.wait().unwrap();
    }

    #[test]
    fn one_of_a_living_process_is_refused_and_left_alone() {
        let scratch = Scratch::new();
        let path = scratch.path("pid");
        fs::write(&path, "1\n").unwrap();
        assert!(complaint(&path).contains("process 1,"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn what_is_no_pid_file_is_left_alone() {
        let scratch = Scratch::new();
        let path = scratch.path("pid");
        for text in ["root:x:0:0", "1 2", "99999999999999999999", "\u{fffd}"] {
            fs::write(&path, text).unwrap();
            assert!(complaint(&path).contains("no pid file"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let link = scratch.path("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(complaint(&link).contains("cannot be opened"));
        assert!(complaint(&scratch.path("no/such/folder")).contains("cannot be opened"));
    }

    #[test]
    fn one_that_cannot_be_removed_is_emptied() {
        let scratch = Scratch::new();
        let path = scratch.path("pid");
        let mut claimed = PidFile::claim(&path).unwrap();
        claimed.move_root(Path::new("/elsewhere"));
        drop(claimed);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        drop(PidFile::claim(&path).unwrap());
    }
}
