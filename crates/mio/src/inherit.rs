//! Descriptors that the parent of this process left open: by number, or as systemd passes them (`sd_listen_fds(3)`).
//!
//! A number is no proof that a descriptor is anybody's, so this is strict: each can be taken once in a process (R114), and
//! one that this program opened itself is refused; those have the flag that they close at `exec`, and what was inherited
//! came through one.
//!
//! ```text
//!   number ─► sent to ourselves over a socket pair (SCM_RIGHTS) ─► OwnedFd; then the number is closed
//! ```
//!
//! That detour is the way to a safe `OwnedFd` of a number on every UNIX. `pidfd_getfd` would do on Linux, but container
//! sandboxes forbid it.
//!
//! The variables of systemd stay in the environment: changing it is not safe where there are threads. A child that inherits
//! them finds in `LISTEN_PID` that they are not meant for it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};
use ropewalk_core::{Descriptor, Inherited};

use crate::ancillary;

/// The first that systemd passes (`SD_LISTEN_FDS_START`).
const FIRST: u32 = 3;

/// The numbers that were taken: by now they may be something else.
static TAKEN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Takes one; its number is closed.
///
/// # Errors
///
/// It is not there, was taken before, or was not inherited.
pub(crate) fn take(which: &Inherited) -> io::Result<OwnedFd> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    let number = match which {
        Inherited::Number(number) => *number,
        Inherited::Index(index) => passed()?.by_index(*index)?,
        Inherited::Named(name) => passed()?.by_name(name, &taken)?,
    };
    if taken.contains(&number) {
        let why = format!("descriptor {number} was taken already; it can be listened at once");
        return Err(io::Error::new(io::ErrorKind::NotConnected, why));
    }
    let descriptor = take_number(number)?;
    taken.insert(number);
    Ok(descriptor)
}

/// What systemd passes, as the environment says.
struct Passed {
    count: u32,
    names: Vec<String>,
}

fn passed() -> io::Result<Passed> {
    let variable = |name: &str| std::env::var(name).ok();
    Passed::read(&variable, std::process::id())
}

impl Passed {
    fn read(variable: &dyn Fn(&str) -> Option<String>, process: u32) -> io::Result<Self> {
        let count = variable("LISTEN_FDS").ok_or_else(|| {
            missing("systemd passed no sockets to this process: LISTEN_FDS is not set".into())
        })?;
        let meant_for = variable("LISTEN_PID").unwrap_or_default();
        if meant_for.parse() != Ok(process) {
            return Err(missing(format!(
                "the sockets that systemd passed are for another process: LISTEN_PID is {meant_for:?}, this is {process}"
            )));
        }
        let no_number = || missing(format!("LISTEN_FDS is {count:?}, which is no number"));
        let count: u32 = count.parse().map_err(|_| no_number())?;
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<String> = match names.as_str() {
            "" => Vec::new(),
            names => names.split(':').map(str::to_owned).collect(),
        };
        if !names.is_empty() && names.len() != count as usize {
            return Err(missing(format!(
                "LISTEN_FDS says {count} sockets, and LISTEN_FDNAMES names {}",
                names.len()
            )));
        }
        Ok(Self { count, names })
    }

    fn by_index(&self, index: usize) -> io::Result<u32> {
        let count = self.count;
        let index = u32::try_from(index).ok().filter(|&index| index < count);
        index.map(|index| FIRST + index).ok_or_else(|| {
            missing(format!(
                "systemd passed {count} sockets; the first has index 0"
            ))
        })
    }

    /// The first of that name that is left: a unit may give one name to several.
    fn by_name(&self, name: &str, taken: &BTreeSet<u32>) -> io::Result<u32> {
        let of_name = || (FIRST..).zip(&self.names).filter(|(_, own)| *own == name);
        let mut left = of_name().filter(|(number, _)| !taken.contains(number));
        let any = left.next().or_else(|| of_name().next());
        any.map(|(number, _)| number).ok_or_else(|| {
            missing(format!(
                "systemd passed no socket named {name:?}, only {:?}",
                self.names
            ))
        })
    }
}

fn missing(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why)
}

fn take_number(number: u32) -> io::Result<OwnedFd> {
    let raw = RawFd::try_from(number).map_err(|_| not_open(number))?;
    if is_ours(raw) {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("descriptor {number} was not inherited: this program opened it itself"),
        ));
    }
    let descriptor = duplicate(raw).map_err(|error| match error.raw_os_error() {
        Some(libc::EBADF) => not_open(number),
        _ => error,
    })?;
    give_up(raw)?;
    Ok(descriptor)
}

fn not_open(number: u32) -> io::Error {
    missing(format!(
        "descriptor {number} is not open; the parent must leave it so"
    ))
}

/// Whether it closes at `exec`, where the system tells: then it did not come through one.
fn is_ours(raw: RawFd) -> bool {
    const CLOSES_AT_EXEC: u32 = libc::O_CLOEXEC as u32;
    let Ok(told) = fs::read_to_string(format!("/proc/self/fdinfo/{raw}")) else {
        return false;
    };
    let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| flags & CLOSES_AT_EXEC != 0)
}

/// A descriptor of the same thing, which closes at `exec`.
fn duplicate(raw: RawFd) -> io::Result<OwnedFd> {
    let (there, here) = std::os::unix::net::UnixStream::pair()?;
    let rights = [raw];
    let message = [ControlMessage::ScmRights(&rights)];
    let byte = [IoSlice::new(b".")];
    sendmsg::<UnixAddr>(there.as_raw_fd(), &byte, &message, MsgFlags::empty(), None)?;
    let (_, came) = ancillary::receive(&here, &mut [0])?;
    let duplicate = came.into_iter().next().map(Descriptor::into_inner);
    let none = || io::Error::other("the kernel did not hand on the descriptor");
    duplicate.and_then(Result::ok).ok_or_else(none)
}

/// Closes a number. One of the first three is not left free, or the next file that is opened would be taken for it.
fn give_up(raw: RawFd) -> io::Result<()> {
    match raw {
        0 => rustix::stdio::dup2_stdin(File::open("/dev/null")?)?,
        1 => rustix::stdio::dup2_stdout(rustix::stdio::stderr())?,
        2 => rustix::stdio::dup2_stderr(File::options().write(true).open("/dev/null")?)?,
        _ => nix::unistd::close(raw)?,
    }
    Ok(())
}

/// Takes standard input and output. What is printed from now on goes to standard error.
///
/// # Errors
///
/// They were taken before, or are not open.
pub(crate) fn take_standard_io() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if taken.contains(&0) || taken.contains(&1) {
        let why = "standard input and output are taken already; they can be served once";
        return Err(io::Error::new(io::ErrorKind::NotConnected, why));
    }
    let (read, write) = (duplicate(0)?, duplicate(1)?);
    give_up(0)?;
    give_up(1)?;
    taken.extend([0, 1]);
    Ok((read, write))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    fn read(variables: &[(&str, &str)]) -> io::Result<Passed> {
        let variable = |name: &str| {
            let mut found = variables.iter().filter(|(own, _)| *own == name);
            found.next().map(|(_, value)| (*value).to_owned())
        };
        Passed::read(&variable, 42)
    }

    #[test]
    fn r114_sockets_of_systemd_are_found_by_index_and_by_name() {
        let passed = read(&[
            ("LISTEN_FDS", "3"),
            ("LISTEN_PID", "42"),
            ("LISTEN_FDNAMES", "a:b:a"),
        ]);
        let passed = passed.unwrap();
        assert_eq!(passed.by_index(2).unwrap(), 5);
        assert!(passed.by_index(3).is_err());
        let mut taken = BTreeSet::new();
        for number in [3, 5] {
            assert_eq!(passed.by_name("a", &taken).unwrap(), number);
            taken.insert(number);
        }
        assert_eq!(
            passed.by_name("a", &taken).unwrap(),
            3,
            "which is then refused"
        );
        let error = passed.by_name("c", &taken).unwrap_err().to_string();
        assert!(
            error.contains("\"c\"") && error.contains("\"b\""),
            "{error}"
        );
    }

    #[test]
    fn what_systemd_did_not_mean_for_us_is_refused_in_words() {
        let cases = [
            (&[][..], "LISTEN_FDS is not set"),
            (&[("LISTEN_FDS", "1")], "another process"),
            (&[("LISTEN_FDS", "1"), ("LISTEN_PID", "41")], "this is 42"),
            (&[("LISTEN_FDS", "x"), ("LISTEN_PID", "42")], "no number"),
            (
                &[
                    ("LISTEN_FDS", "2"),
                    ("LISTEN_PID", "42"),
                    ("LISTEN_FDNAMES", "a"),
                ],
                "says 2 sockets",
            ),
        ];
        for (variables, said) in cases {
            let error = read(variables).err().expect("it is refused").to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn r114_an_inherited_descriptor_is_taken_once_and_its_number_closed() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let ours = OwnedFd::from(near);
        let error = take(&Inherited::Number(ours.as_raw_fd() as u32)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        // As it is after an exec.
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::empty()).unwrap();
        let number = ours.into_raw_fd() as u32;
        let taken = take(&Inherited::Number(number)).unwrap();
        assert_ne!(taken.as_raw_fd() as u32, number);
        let error = take(&Inherited::Number(number)).unwrap_err();
        assert!(error.to_string().contains("taken already"), "{error}");
        // The number was the last other name of that end.
        drop(taken);
        assert_eq!(io::Read::read(&mut &far, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        for number in [1_000_000, u32::MAX] {
            let error = take(&Inherited::Number(number)).unwrap_err();
            assert!(error.to_string().contains("is not open"), "{error}");
        }
    }
}
