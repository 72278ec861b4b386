//! The servers that are compared: what each peer is, and how it is started.

pub(crate) mod bare;
pub(crate) mod ours;
pub(crate) mod tokio;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::Outcome;
use crate::process::this_binary;

const TWISTED_ECHO: &str = include_str!("twisted_echo.py");
const UVLOOP_ECHO: &str = include_str!("uvloop_echo.py");

/// What a server does with its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Sends back every byte.
    Echo,
    /// Sends back every byte, with buffers as small as a server of many idle connections has them.
    Idle,
    /// Sends back every byte, and puts off an idle time-out of 30 s with every message.
    EchoTimeout,
    /// Accepts, waits for the end of the stream, closes.
    Accept,
    /// Sends every byte to all connections.
    Broadcast,
}

/// One side of the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The floor: epoll, one recv, one send.
    Bare,
    /// tokio's current-thread runtime.
    Tokio,
    /// Us.
    Ropewalk,
    /// Twisted on its epoll reactor, run by this Python.
    Twisted(PathBuf),
    /// asyncio's protocols on uvloop, run by this Python.
    Uvloop(PathBuf),
}

impl Peer {
    /// The peers built into this binary, the base of all ratios first.
    pub(crate) const BUILT_IN: [Self; 3] = [Self::Bare, Self::Tokio, Self::Ropewalk];

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Tokio => "tokio",
            Self::Ropewalk => "ropewalk",
            Self::Twisted(_) => "twisted",
            Self::Uvloop(_) => "uvloop",
        }
    }

    /// The built-in peer of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::BUILT_IN.into_iter().find(|peer| peer.name() == name)
    }

    /// The peers `python` can run: those whose packages it imports.
    pub(crate) fn in_python(python: &Path) -> Vec<Self> {
        let twisted = imports(python, "twisted").then(|| Self::Twisted(python.to_owned()));
        let uvloop = imports(python, "uvloop").then(|| Self::Uvloop(python.to_owned()));
        twisted.into_iter().chain(uvloop).collect()
    }

    /// Whether its allocations can be counted: it runs on this binary's allocator.
    pub(crate) fn is_built_in(&self) -> bool {
        !matches!(self, Self::Twisted(_) | Self::Uvloop(_))
    }

    /// Whether it has a server of this kind.
    pub(crate) fn serves(&self, mode: Mode) -> bool {
        match self {
            Self::Bare => mode != Mode::EchoTimeout,
            Self::Tokio | Self::Ropewalk => true,
            Self::Twisted(_) | Self::Uvloop(_) => {
                matches!(mode, Mode::Echo | Mode::Idle | Mode::Accept)
            }
        }
    }

    /// The command that starts it; it prints its port on standard output.
    pub(crate) fn command(&self, mode: Mode) -> io::Result<Command> {
        let script = match self {
            Self::Twisted(python) => Some((python, TWISTED_ECHO)),
            Self::Uvloop(python) => Some((python, UVLOOP_ECHO)),
            _ => None,
        };
        if let Some((python, script)) = script {
            let mut command = Command::new(python);
            command.args(["-c", script]);
            return Ok(command);
        }
        let mut command = this_binary()?;
        let mode = mode
            .to_possible_value()
            .map(|value| value.get_name().to_owned());
        command.args(["serve", self.name(), &mode.unwrap_or_default()]);
        Ok(command)
    }

    /// Becomes that server; returns only if it fails.
    pub(crate) fn serve(&self, mode: Mode) -> Outcome<()> {
        match self {
            Self::Bare => bare::serve(mode),
            Self::Tokio => tokio::serve(mode),
            Self::Ropewalk => ours::serve(mode),
            Self::Twisted(_) | Self::Uvloop(_) => Err("Python's servers are scripts".into()),
        }
    }
}

/// Tells the parent where this server listens.
pub(crate) fn announce(port: u16) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "port {port}")?;
    output.flush()
}

fn imports(python: &Path, package: &str) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", &format!("import {package}")]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
