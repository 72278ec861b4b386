//! A log file that begins anew by size or by day, and can be opened anew by name.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Rotation;

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// Lines go to the end of `path`; what was there before a rotation is `path.1`, and before that `path.2`.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    rotation: Option<Rotation>,
    keep: u32,
    length: u64,
    /// The day of the last line, since 1970.
    day: u64,
    /// The last write stopped somewhere inside of a line.
    torn: bool,
}

impl LogFile {
    pub(crate) fn open(path: &Path, rotation: Option<Rotation>, keep: u32) -> io::Result<Self> {
        // Once the working folder changes, a relative name would mean another file.
        let path = std::path::absolute(path)?;
        let file = append_to(&path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            file,
            path,
            rotation,
            keep,
            length: metadata.len(),
            day: metadata.modified().map_or(0, day),
            torn: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line, in a new file if its time has come. If there can be no new file, the line is in the old one, and what
    /// is given is why.
    pub(crate) fn write_line(
        &mut self,
        line: &[u8],
        now: SystemTime,
    ) -> io::Result<Option<io::Error>> {
        let is_due = self.is_due(line, now);
        let not_rotated = is_due.then(|| self.rotate().err()).flatten();
        self.day = day(now);
        if self.torn {
            self.append(b"\n")?;
        }
        self.append(line)?;
        Ok(not_rotated)
    }

    /// Goes on in the file that has the name now.
    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        self.file = append_to(&self.path)?;
        self.length = self.file.metadata()?.len();
        self.torn = false;
        Ok(())
    }

    /// Inside of this root the file has another name; outside of it, it has none, and cannot be opened anew.
    pub(super) fn move_root(&mut self, root: &Path) {
        self.path = match self.path.strip_prefix(root) {
            Ok(inside) => Path::new("/").join(inside),
            Err(_) => PathBuf::new(),
        };
    }

    fn append(&mut self, data: &[u8]) -> io::Result<()> {
        self.torn = true;
        self.file.write_all(data)?;
        self.torn = !data.ends_with(b"\n");
        self.length += data.len() as u64;
        Ok(())
    }

    fn is_due(&self, line: &[u8], now: SystemTime) -> bool {
        let is_due = match self.rotation {
            None => false,
            Some(Rotation::Size(limit)) => self.length + line.len() as u64 > limit,
            Some(Rotation::Daily) => day(now) != self.day,
        };
        is_due && self.length > 0
    }

    fn rotate(&mut self) -> io::Result<()> {
        // If this fails, the next try is as many bytes away as the next file would have been.
        self.length = 0;
        if self.keep == 0 {
            fs::remove_file(&self.path)?;
            return self.reopen();
        }
        for number in (1..self.keep).rev() {
            move_away(&self.numbered(number), &self.numbered(number + 1))?;
        }
        fs::rename(&self.path, self.numbered(1))?;
        self.reopen()
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn move_away(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn day(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / SECONDS_OF_A_DAY)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scratch::Scratch;

    fn at(day: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(day * SECONDS_OF_A_DAY)
    }

    fn read(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_new_file_begins_before_the_old_one_is_too_large() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let mut log = LogFile::open(&path, Some(Rotation::Size(1024)), 2).unwrap();
        for letter in ["a", "b", "c", "d"] {
            for _ in 0..2 {
                let line = letter.repeat(511) + "\n";
                log.write_line(line.as_bytes(), at(0)).unwrap();
            }
        }
        let first = |name| read(scratch.path(name)).chars().next();
        assert_eq!(first("log"), Some('d'));
        assert_eq!(first("log.1"), Some('c'));
        assert_eq!(first("log.2"), Some('b'));
        assert_eq!(first("log.3"), None, "only two old ones are kept");
        assert_eq!(read(path).len(), 1024);
    }

    #[test]
    fn a_new_file_begins_with_the_day() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let mut log = LogFile::open(&path, Some(Rotation::Daily), 10).unwrap();
        log.write_line(b"one\n", at(100)).unwrap();
        log.write_line(b"one\n", at(100)).unwrap();
        log.write_line(b"two\n", at(101)).unwrap();
        log.write_line(b"three\n", at(200)).unwrap();
        assert_eq!(read(path), "three\n");
        assert_eq!(read(scratch.path("log.1")), "two\n");
        assert_eq!(read(scratch.path("log.2")), "one\none\n");
    }

    #[test]
    fn none_are_kept_if_none_are_wanted() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let mut log = LogFile::open(&path, Some(Rotation::Daily), 0).unwrap();
        log.write_line(b"one\n", at(1)).unwrap();
        log.write_line(b"two\n", at(2)).unwrap();
        assert_eq!(read(path), "two\n");
        assert_eq!(read(scratch.path("log.1")), "");
    }

    #[test]
    fn a_file_that_cannot_be_moved_is_gone_on_with() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let mut log = LogFile::open(&path, Some(Rotation::Size(1024)), 1).unwrap();
        fs::create_dir_all(scratch.path("log.1/in the way")).unwrap();
        let line = [b'x'; 600];
        log.write_line(&line, at(0)).unwrap();
        let told = log.write_line(&line, at(0)).unwrap();
        assert!(told.is_some(), "the reason is told");
        assert!(read(path).len() > 1200, "and nothing is lost");
    }

    #[test]
    fn reopening_follows_the_name() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let mut log = LogFile::open(&path, None, 1).unwrap();
        log.write_line(b"before\n", at(0)).unwrap();
        fs::rename(&path, scratch.path("moved")).unwrap();
        log.reopen().unwrap();
        log.write_line(b"after\n", at(0)).unwrap();
        assert_eq!(read(path), "after\n");
        assert_eq!(read(scratch.path("moved")), "before\n");
    }

    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_begins_a_line() {
        let full = Path::new("/dev/full");
        if full.exists() {
            let mut log = LogFile::open(full, None, 1).unwrap();
            assert!(log.write_line(b"lost\n", at(0)).is_err());
            assert!(log.torn);
        }
    }
}
