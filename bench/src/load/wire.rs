//! What a client's bytes go over: TCP, a UNIX socket, or TLS on TCP.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use clap::ValueEnum;
use rustls::{ClientConfig, ClientConnection};

use super::Target;
use crate::Outcome;
use crate::{socket, tls};

/// What a generator's connections are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Over {
    #[default]
    Tcp,
    /// The abstract socket that is named after the server's process.
    Unix,
    Tls,
}

/// Connects clients of one kind to one server.
pub(crate) struct Dialer<'a> {
    target: &'a Target,
    tls: Option<Arc<ClientConfig>>,
}

impl<'a> Dialer<'a> {
    pub(crate) fn new(target: &'a Target) -> Outcome<Self> {
        let tls = match target.over {
            Over::Tls => Some(tls::client_config()?),
            Over::Tcp | Over::Unix => None,
        };
        Ok(Self { target, tls })
    }

    /// One connection, with its handshake done, and on which core of the server it is, if that tells.
    pub(crate) fn dial(&self) -> Outcome<(Wire, Option<usize>)> {
        if !self.target.told_core {
            return Ok((self.wire()?, None));
        }
        let (mut stream, mut core) = (self.tcp()?, [0]);
        stream.read_exact(&mut core)?;
        stream.set_nonblocking(true)?;
        Ok((Wire::Plain(stream.into()), Some(usize::from(core[0]))))
    }

    fn tcp(&self) -> Outcome<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target.port))?;
        socket::set_no_delay(stream.as_raw_fd())?;
        socket::set_reset_on_close(stream.as_raw_fd())?;
        Ok(stream)
    }

    fn wire(&self) -> Outcome<Wire> {
        if self.target.over == Over::Unix {
            let stream = UnixStream::connect_addr(&socket::unix_address(self.target.pid)?)?;
            stream.set_nonblocking(true)?;
            return Ok(Wire::Plain(stream.into()));
        }
        let mut stream = self.tcp()?;
        let Some(config) = &self.tls else {
            stream.set_nonblocking(true)?;
            return Ok(Wire::Plain(stream.into()));
        };
        let mut session = tls::client(config)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        stream.set_nonblocking(true)?;
        Ok(Wire::Tls(stream, session))
    }
}

/// One client's connection, non-blocking.
pub(crate) enum Wire {
    Plain(OwnedFd),
    Tls(TcpStream, Box<ClientConnection>),
}

impl Wire {
    pub(crate) fn fd(&self) -> RawFd {
        match self {
            Self::Plain(fd) => fd.as_raw_fd(),
            Self::Tls(stream, _) => stream.as_raw_fd(),
        }
    }

    /// Sends once; how many bytes were taken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        match self {
            Self::Plain(fd) => socket::send(fd.as_raw_fd(), bytes),
            Self::Tls(_, session) if session.wants_write() => Ok(0),
            Self::Tls(_, session) => {
                let count = session.writer().write(bytes)?;
                self.flush()?;
                Ok(count)
            }
        }
    }

    /// Sends what is encrypted, until the kernel takes no more.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Self::Tls(stream, session) = self else {
            return Ok(());
        };
        while session.wants_write() {
            match session.write_tls(stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                written => written?,
            };
        }
        Ok(())
    }

    /// Whether encrypted bytes wait for the kernel.
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(self, Self::Tls(_, session) if session.wants_write())
    }

    /// Receives once; `plain` gets what was in it. False at the end of the stream.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut plain: impl FnMut(&[u8]),
    ) -> io::Result<bool> {
        let Some(count) = socket::recv(self.fd(), buffer)? else {
            return Ok(true);
        };
        match self {
            Self::Plain(_) => plain(&buffer[..count]),
            Self::Tls(_, session) => drop(tls::feed(session, &buffer[..count], plain)?),
        }
        Ok(count > 0)
    }
}
