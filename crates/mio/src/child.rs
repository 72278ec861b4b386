//! One child process: how it is started, how its exit is noticed, and how it is signalled.
//!
//! *No other descriptor is inherited* (R91): everything of this process above 2 is marked close-on-exec first, since what was
//! inherited by us, or opened by a library in C, may not be; and the child gets back what is mapped for it. *Signals*: those
//! that we catch have their default action in the child, those that we inherited as ignored stay so (`nohup`), but for
//! SIGPIPE; and none is blocked.

use std::collections::BTreeMap;
use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::SigSet;
use process_wrap::std::{CommandWrap, CommandWrapper, ResetSigmask};
use ropewalk_core::process::{ChildDescriptor, ExitStatus, SignalNumber, Spawn};
use rustix::process::{Pid, Signal};

/// Our end of a pipe.
pub(crate) enum End {
    Read(OwnedFd),
    Write(OwnedFd),
}

/// What a child is given, and what we keep.
#[derive(Default)]
pub(crate) struct Plan {
    /// The child's side, by number.
    theirs: BTreeMap<u32, Stdio>,
    above: Vec<FdMapping>,
    /// Ours, each a connection.
    pub(crate) pipes: Vec<(u32, End)>,
    /// Ours, of the one connection.
    pub(crate) stream: Vec<(u32, End)>,
}

impl Plan {
    /// Opens the pipes.
    pub(crate) fn new(spawn: &Spawn) -> io::Result<Self> {
        let mut plan = Self::default();
        for (&number, what) in spawn.descriptors() {
            match what {
                ChildDescriptor::Inherit if number <= 2 => {
                    plan.theirs.insert(number, Stdio::inherit());
                }
                ChildDescriptor::Null if number <= 2 => {}
                _ => {
                    let theirs = plan.open(number, what)?;
                    plan.give(number, theirs)?;
                }
            }
        }
        Ok(plan)
    }

    /// The child's side of a descriptor; ours is kept.
    fn open(&mut self, number: u32, what: &ChildDescriptor) -> io::Result<OwnedFd> {
        let (pipes, is_read) = match what {
            ChildDescriptor::Read => (&mut self.pipes, true),
            ChildDescriptor::Write => (&mut self.pipes, false),
            ChildDescriptor::Stream => (&mut self.stream, number != 0),
            ChildDescriptor::Given(given) => return duplicate(number, given),
            ChildDescriptor::Null => {
                let mut options = std::fs::File::options();
                return Ok(options.read(true).write(true).open("/dev/null")?.into());
            }
            _ => {
                return Err(refused(format!(
                    "descriptor {number} cannot be inherited by its number; give it with Spawn::descriptor"
                )));
            }
        };
        let (read, write) = io::pipe()?;
        let (ours, theirs) = match is_read {
            true => (End::Read(read.into()), OwnedFd::from(write)),
            false => (End::Write(write.into()), OwnedFd::from(read)),
        };
        pipes.push((number, ours));
        Ok(theirs)
    }

    fn give(&mut self, number: u32, theirs: OwnedFd) -> io::Result<()> {
        if number <= 2 {
            self.theirs.insert(number, theirs.into());
            return Ok(());
        }
        let child_fd = i32::try_from(number)
            .map_err(|_| refused(format!("no process has a descriptor {number}")))?;
        self.above.push(FdMapping {
            parent_fd: theirs,
            child_fd,
        });
        Ok(())
    }

    /// Starts the child; our ends stay.
    pub(crate) fn start(&mut self, spawn: &Spawn) -> io::Result<Child> {
        let mut command = command(spawn);
        let mut stdio = |number| self.theirs.remove(&number).unwrap_or_else(Stdio::null);
        command.stdin(stdio(0)).stdout(stdio(1)).stderr(stdio(2));
        if !self.above.is_empty() {
            let above = std::mem::take(&mut self.above);
            command.fd_mappings(above).map_err(io::Error::other)?;
        }
        if SigSet::thread_get_mask()?.iter().next().is_some() {
            let nothing_around = CommandWrap::with_new("", |_| {});
            ResetSigmask.pre_spawn(&mut command, &nothing_around)?;
        }
        close_fds::set_fds_cloexec_threadsafe(3, &[]);
        command.spawn().map_err(|error| explain(error, spawn))
    }
}

fn duplicate(number: u32, given: &ropewalk_core::Descriptor) -> io::Result<OwnedFd> {
    match given.inner::<OwnedFd>() {
        Some(owned) => owned.try_clone(),
        None => Err(refused(format!(
            "descriptor {number} is of another driver; a real one is made of an OwnedFd"
        ))),
    }
}

fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn command(spawn: &Spawn) -> Command {
    let mut command = Command::new(spawn.program());
    command.args(spawn.arguments());
    if let Some(name) = spawn.name() {
        command.arg0(name);
    }
    if spawn.is_environment_cleared() {
        command.env_clear();
    }
    for (name, value) in spawn.environment() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(directory) = spawn.directory() {
        command.current_dir(directory);
    }
    if let Some(group) = spawn.group() {
        command.gid(group);
    }
    if let Some(user) = spawn.user() {
        command.uid(user);
    }
    if spawn.has_own_group() {
        command.process_group(0);
    }
    command
}

/// The kernel says of a missing directory what it says of a missing program.
fn explain(error: io::Error, spawn: &Spawn) -> io::Error {
    match spawn.directory() {
        Some(directory) if !directory.is_dir() => {
            let directory = directory.display();
            io::Error::new(
                error.kind(),
                format!("its working directory {directory} cannot be entered: {error}"),
            )
        }
        _ => error,
    }
}

/// How the kernel tells of one child's exit.
pub(crate) enum Watch {
    /// By a descriptor of its own, which also names it without fail.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Descriptor(OwnedFd),
    /// By SIGCHLD.
    Signal,
}

impl Watch {
    /// A descriptor, if the kernel has such.
    pub(crate) fn new(child: &Child) -> io::Result<Self> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        match rustix::process::pidfd_open(
            Pid::from_child(child),
            rustix::process::PidfdFlags::empty(),
        ) {
            Ok(descriptor) => return Ok(Self::Descriptor(descriptor)),
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        let _ = child;
        Ok(Self::Signal)
    }

    /// The descriptor that can be read once the child has exited.
    pub(crate) fn descriptor(&self) -> Option<&OwnedFd> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Descriptor(descriptor) => Some(descriptor),
            Self::Signal => None,
        }
    }
}

/// Signals a child that was not waited for yet, so that its number is still its own.
pub(crate) fn signal(child: &Child, watch: &Watch, signal: SignalNumber) -> io::Result<()> {
    let number = signal.number();
    let named = Signal::from_named_raw(number)
        .ok_or_else(|| refused(format!("this system has no named signal {number}")))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(descriptor) = watch.descriptor() {
        return Ok(rustix::process::pidfd_send_signal(
            descriptor.as_fd(),
            named,
        )?);
    }
    let _ = watch;
    Ok(rustix::process::kill_process(
        Pid::from_child(child),
        named,
    )?)
}

/// Waits without blocking: how it ended, if it has.
pub(crate) fn exit_status(child: &mut Child) -> Option<ExitStatus> {
    match child.try_wait() {
        Ok(status) => status.map(translate),
        Err(error) => {
            tracing::warn!(pid = child.id(), %error, "a child cannot be waited for");
            Some(ExitStatus::Unknown)
        }
    }
}

fn translate(status: std::process::ExitStatus) -> ExitStatus {
    match (status.code(), status.signal().and_then(SignalNumber::new)) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal {
            signal,
            core_dumped: status.core_dumped(),
        },
        (None, None) => ExitStatus::Unknown,
    }
}
