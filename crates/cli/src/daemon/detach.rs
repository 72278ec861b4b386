//! Into the background, without `fork`, which no safe code can call: the process starts itself again, in a session of its own,
//! and waits to hear that the other serves.
//!
//! ```text
//!   parent ── starts itself, with one end of a socket as stdin ──► child: setsid
//!      │                                                             │ log, pid file, ports, chroot, user
//!      │ ◄──────────────────── a byte ────────────────────────────── │ it serves: stdin, stdout, stderr are /dev/null
//!   status 0                                                         ▼
//!      │ ◄──────────── end of file: it ended before, after it said why on the stderr that both have
//!   its status
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt, parent_id};
use std::process::{Command, ExitCode, ExitStatus};

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use ropewalk::Failure;

/// Names the parent, so that programs which a daemon starts do not take themselves for its child.
const MARK: &str = "ROPEWALK_DETACHED_BY";

/// Which of the two processes this is.
pub(crate) enum Detached {
    /// The one that was called: it is done, and this is its status.
    Parent(ExitCode),
    /// The one that serves.
    Child(Starter),
}

/// Who waits to hear that this process serves.
pub(crate) struct Starter {
    parent: UnixStream,
    /// Opened while it can be found: later the root may be another.
    null: File,
}

/// Starts this program again in the background and waits until it serves; or finds that this is that other process.
///
/// # Errors
///
/// There can be no other process.
pub(crate) fn detach() -> Result<Detached, Failure> {
    match Starter::inherited()? {
        Some(starter) => Ok(Detached::Child(starter)),
        None => start_child().map(Detached::Parent),
    }
}

impl Starter {
    fn inherited() -> Result<Option<Self>, Failure> {
        let mark = std::env::var(MARK).ok();
        if mark != Some(parent_id().to_string()) {
            return Ok(None);
        }
        let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&null)?;
        setsid()?;
        Ok(Some(Self {
            parent: socket.into(),
            null,
        }))
    }

    /// Lets go of the terminal and tells the parent that this process serves.
    ///
    /// # Errors
    ///
    /// The parent is gone: whoever called it gave up, and expects no daemon.
    pub(crate) fn serves(mut self) -> Result<(), Failure> {
        dup2_stdout(&self.null)?;
        self.parent.write_all(b"+")?;
        dup2_stderr(&self.null)?;
        Ok(())
    }
}

fn start_child() -> Result<ExitCode, Failure> {
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(arguments.next().unwrap_or_default());
    command.args(arguments);
    command.env(MARK, std::process::id().to_string());
    command.stdin(OwnedFd::from(theirs));
    let mut child = command.spawn()?;
    // It holds the other end open, and with it our waiting.
    drop(command);
    match ours.read(&mut [0])? {
        0 => Ok(status_of(child.wait()?)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The status of one that ended before it served: never 0.
fn status_of(ended: ExitStatus) -> ExitCode {
    if let Some(signal) = ended.signal() {
        let _nobody_listens = writeln!(
            io::stderr(),
            "the daemon was killed by signal {signal} before it served"
        );
    }
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    code.filter(|code| *code != 0)
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
