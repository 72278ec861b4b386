//! What to start, and how.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::descriptor::Descriptor;
use crate::limits::Limits;

/// A program to start, with its arguments, environment, descriptors and rights. It may be started any number of times.
///
/// By default the child's 0, 1 and 2 are pipes, and it gets our environment and working directory. Nothing is read by a shell.
///
/// ```
/// use ropewalk_core::process::Spawn;
///
/// let sort = Spawn::new("sort").arg("-n").env("LC_ALL", "C").inherit(2);
/// assert_eq!(sort.program(), "sort");
/// assert_eq!(sort.descriptors().len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct Spawn {
    program: OsString,
    name: Option<OsString>,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, Option<OsString>>,
    is_environment_cleared: bool,
    directory: Option<PathBuf>,
    user: Option<u32>,
    group: Option<u32>,
    has_own_group: bool,
    is_killed_at_stop: bool,
    descriptors: BTreeMap<u32, ChildDescriptor>,
    limits: Limits,
}

/// What a descriptor of a child is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ChildDescriptor {
    /// A pipe: the child writes, we read.
    Read,
    /// A pipe: we write, the child reads.
    Write,
    /// One of those two, of a single connection: 0 is what we write, any other what we read.
    Stream,
    /// Our own of the same number: 0, 1 and 2 only.
    Inherit,
    /// `/dev/null`.
    Null,
    /// A duplicate of one that is open already.
    Given(Rc<Descriptor>),
}

impl Spawn {
    /// A program: a path, or a name that is looked for in the directories of `PATH`.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            name: None,
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            is_environment_cleared: false,
            directory: None,
            user: None,
            group: None,
            has_own_group: false,
            is_killed_at_stop: false,
            descriptors: BTreeMap::from([
                (0, ChildDescriptor::Write),
                (1, ChildDescriptor::Read),
                (2, ChildDescriptor::Read),
            ]),
            limits: Limits {
                write_stall: None,
                ..Limits::of_client()
            },
        }
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// With another name than the program's as argument 0.
    #[must_use]
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Self {
        self.name = Some(name.as_ref().to_owned());
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = Some(value.as_ref().to_owned());
        self.environment.insert(name.as_ref().to_owned(), value);
        self
    }

    /// Without this variable of ours.
    #[must_use]
    pub fn without_env(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.insert(name.as_ref().to_owned(), None);
        self
    }

    /// Without any variable of ours, nor those set so far. The program is still looked for in our own `PATH`.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.environment.clear();
        self.is_environment_cleared = true;
        self
    }

    /// In this working directory.
    #[must_use]
    pub fn current_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// As this user, without any supplementary group of ours if we are root. It takes a privilege.
    #[must_use]
    pub fn uid(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// As this group. It takes a privilege.
    #[must_use]
    pub fn gid(mut self, group: u32) -> Self {
        self.group = Some(group);
        self
    }

    /// As the leader of a process group of its own, so that a Ctrl-C in our terminal does not reach it.
    #[must_use]
    pub fn own_group(mut self) -> Self {
        self.has_own_group = true;
        self
    }

    /// Killed when the reactor stops, or the scope that it was started in ends, rather than left running.
    #[must_use]
    pub fn kill_at_stop(mut self) -> Self {
        self.is_killed_at_stop = true;
        self
    }

    /// A pipe at this descriptor of the child that we read.
    #[must_use]
    pub fn read_from(self, descriptor: u32) -> Self {
        self.map(descriptor, ChildDescriptor::Read)
    }

    /// A pipe at this descriptor of the child that we write to.
    #[must_use]
    pub fn write_to(self, descriptor: u32) -> Self {
        self.map(descriptor, ChildDescriptor::Write)
    }

    /// Our own descriptor at the same number: 0, 1 or 2. Others are had with [`descriptor`](Self::descriptor).
    #[must_use]
    pub fn inherit(self, descriptor: u32) -> Self {
        self.map(descriptor, ChildDescriptor::Inherit)
    }

    /// `/dev/null` at this descriptor. So are those of 0, 1 and 2 that are [unmapped](Self::unmap), because a program to
    /// which they are closed opens other files there.
    #[must_use]
    pub fn null(self, descriptor: u32) -> Self {
        self.map(descriptor, ChildDescriptor::Null)
    }

    /// A duplicate of an open descriptor, at this one of the child.
    #[must_use]
    pub fn descriptor(self, descriptor: u32, given: Descriptor) -> Self {
        self.map(descriptor, ChildDescriptor::Given(Rc::new(given)))
    }

    /// Nothing at this descriptor.
    #[must_use]
    pub fn unmap(mut self, descriptor: u32) -> Self {
        self.descriptors.remove(&descriptor);
        self
    }

    /// This at that descriptor of the child.
    #[must_use]
    pub fn map(mut self, descriptor: u32, what: ChildDescriptor) -> Self {
        self.descriptors.insert(descriptor, what);
        self
    }

    /// With other limits of its pipes. By default those of a client, without the time-out of a write that stalls: a
    /// child may work before it reads.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What was asked for, as drivers want to know it.
impl Spawn {
    /// The program.
    #[must_use]
    pub fn program(&self) -> &OsStr {
        &self.program
    }

    /// Argument 0, if it is not the program.
    #[must_use]
    pub fn name(&self) -> Option<&OsStr> {
        self.name.as_deref()
    }

    /// The arguments from 1.
    #[must_use]
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// Variables set, and those left out (`None`).
    pub fn environment(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        let variables = self.environment.iter();
        variables.map(|(name, value)| (name.as_os_str(), value.as_deref()))
    }

    /// Whether our own environment is left out.
    #[must_use]
    pub const fn is_environment_cleared(&self) -> bool {
        self.is_environment_cleared
    }

    /// The working directory, if not ours.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// The user, if not ours.
    #[must_use]
    pub const fn user(&self) -> Option<u32> {
        self.user
    }

    /// The group, if not ours.
    #[must_use]
    pub const fn group(&self) -> Option<u32> {
        self.group
    }

    /// Whether it leads a process group.
    #[must_use]
    pub const fn has_own_group(&self) -> bool {
        self.has_own_group
    }

    /// Whether it is killed when the reactor stops.
    #[must_use]
    pub const fn is_killed_at_stop(&self) -> bool {
        self.is_killed_at_stop
    }

    /// The child's descriptors, by number.
    #[must_use]
    pub const fn descriptors(&self) -> &BTreeMap<u32, ChildDescriptor> {
        &self.descriptors
    }

    pub(crate) const fn pipe_limits(&self) -> &Limits {
        &self.limits
    }
}
