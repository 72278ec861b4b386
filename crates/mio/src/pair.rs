//! Two descriptors of anything that can be read and written, as the two directions of one stream: standard input and
//! output, the pipes of a child.
//!
//! **Flags are shared.** Whether a descriptor blocks is a property of what it names, which the shell and other programs
//! name too: a terminal left non-blocking breaks them. So what was set is set back when an end is closed.
//!
//! **Files** on disk, and `/dev/null`, are refused by epoll: they are always ready. Such an end is never waited for.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use ropewalk_core::address::Address;
use rustix::fs::OFlags;
use rustix::io::retry_on_intr;
use socket2::SockRef;

pub(crate) struct Pair {
    /// Always there, unless it is a pipe of a child that we only write to.
    read: Option<End>,
    /// Until our half is closed.
    write: Option<End>,
    /// What both of its ends are called.
    pub(crate) address: Address,
    /// Whether a write end without a reader is an end of the whole.
    breaks_with_write: bool,
}

struct End {
    descriptor: OwnedFd,
    /// The flags as they were, where they had to be changed.
    before: Option<OFlags>,
    is_watched: bool,
}

impl Pair {
    /// # Errors
    ///
    /// One of them is not open, or not for its direction.
    pub(crate) fn new(read: OwnedFd, write: OwnedFd, address: Address) -> io::Result<Self> {
        // Both may name the same thing: look at both before either is changed.
        let (before_read, before_write) = (flags(&read, "read")?, flags(&write, "written")?);
        Ok(Self {
            read: Some(End::new(read, before_read)?),
            write: Some(End::new(write, before_write)?),
            address,
            breaks_with_write: true,
        })
    }

    /// Our ends of the pipes of a child. Where there are both, a child that reads no more may still write.
    pub(crate) fn of_child(
        read: Option<OwnedFd>,
        write: Option<OwnedFd>,
        address: Address,
    ) -> io::Result<Self> {
        let end = |pipe: OwnedFd| {
            let before = rustix::fs::fcntl_getfl(&pipe)?;
            End::new(pipe, before)
        };
        Ok(Self {
            breaks_with_write: read.is_none(),
            read: read.map(end).transpose()?,
            write: write.map(end).transpose()?,
            address,
        })
    }

    /// Watches both; gives whether reading is always possible, so that nobody must be asked.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<bool> {
        if let Some(write) = &mut self.write {
            write.register(registry, token, Interest::WRITABLE)?;
        }
        let Some(read) = &mut self.read else {
            return Ok(false);
        };
        read.register(registry, token, Interest::READABLE)?;
        Ok(!read.is_watched)
    }

    /// A terminal whose other side is gone says so by an error, which is the end of its input.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(read) = &self.read else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        match retry_on_intr(|| rustix::io::read(&read.descriptor, &mut *buffer)) {
            Err(rustix::io::Errno::IO) => Ok(0),
            result => Ok(result?),
        }
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.writer()?, bytes)?)
    }

    pub(crate) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(self.writer()?, slices)?)
    }

    fn writer(&self) -> io::Result<BorrowedFd<'_>> {
        let write = self.write.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(write.descriptor.as_fd())
    }

    /// Whether nobody will ever read what is written: a pipe without a reader.
    pub(crate) fn is_broken(&self) -> bool {
        let watched = |write: &&End| write.is_watched && self.breaks_with_write;
        let Some(write) = self.write.as_ref().filter(watched) else {
            return false;
        };
        let mut polled = [rustix::event::PollFd::new(
            &write.descriptor,
            rustix::event::PollFlags::empty(),
        )];
        let now = rustix::event::Timespec::default();
        rustix::event::poll(&mut polled, Some(&now)).is_ok()
            && polled[0].revents().contains(rustix::event::PollFlags::ERR)
    }

    /// Closes the direction of writing.
    pub(crate) fn shutdown_write(&mut self, registry: Option<&Registry>) -> io::Result<()> {
        let Some(write) = self.write.take() else {
            return Ok(());
        };
        // Of a socket that others hold too, closing our descriptor would end nothing.
        let is_socket = rustix::net::sockopt::socket_type(&write.descriptor).is_ok();
        write.close(registry);
        let Some(read) = &self.read else {
            return Ok(());
        };
        if is_socket {
            SockRef::from(&read.descriptor).shutdown(Shutdown::Write)?;
        }
        // If both name the same thing, it was just set back, and is read on.
        read.unblock()
    }

    /// Unwatches both: what they name may live on, and would go on making events.
    pub(crate) fn close(mut self, registry: Option<&Registry>) {
        if let Some(write) = self.write.take() {
            write.close(registry);
        }
        if let Some(read) = self.read.take() {
            read.close(registry);
        }
    }
}

impl End {
    fn new(descriptor: OwnedFd, flags: OFlags) -> io::Result<Self> {
        let before = (!flags.contains(OFlags::NONBLOCK)).then_some(flags);
        let this = Self {
            descriptor,
            before,
            is_watched: false,
        };
        this.unblock()?;
        Ok(this)
    }

    fn unblock(&self) -> io::Result<()> {
        if let Some(before) = self.before {
            rustix::fs::fcntl_setfl(&self.descriptor, before | OFlags::NONBLOCK)?;
        }
        Ok(())
    }

    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        let descriptor = self.descriptor.as_raw_fd();
        match registry.register(&mut SourceFd(&descriptor), token, interest) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            Err(error) => return Err(error),
            Ok(()) => self.is_watched = true,
        }
        Ok(())
    }

    fn close(self, registry: Option<&Registry>) {
        if let Some(registry) = registry.filter(|_| self.is_watched)
            && let Err(error) = registry.deregister(&mut SourceFd(&self.descriptor.as_raw_fd()))
        {
            tracing::debug!(%error, "cannot unwatch a descriptor");
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(before) = self.before
            && let Err(error) = rustix::fs::fcntl_setfl(&self.descriptor, before)
        {
            tracing::debug!(%error, "cannot set the flags of a descriptor back");
        }
    }
}

fn flags(descriptor: &OwnedFd, direction: &str) -> io::Result<OFlags> {
    let flags = rustix::fs::fcntl_getfl(descriptor)?;
    let wrong = match flags & OFlags::RWMODE {
        OFlags::RDONLY => direction == "written",
        OFlags::WRONLY => direction == "read",
        _ => false,
    };
    if wrong {
        let why = format!("the descriptor is not open to be {direction}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    Ok(flags)
}
