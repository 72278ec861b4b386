//! The servers that are compared: what each peer is, and how it is started.

pub(crate) mod bare;
mod bare_forward;
mod bare_ws;
mod foreign;
pub(crate) mod http;
mod our_cores;
mod our_ws;
pub(crate) mod ours;
mod static_files;
pub(crate) mod tokio;
mod tokio_streams;
mod tokio_ws;
mod udp;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::Outcome;
use crate::load::wire::Over;
use crate::process::{this_binary, word};

const TWISTED_ECHO: &str = include_str!("twisted_echo.py");
const TWISTED_HTTP: &str = include_str!("twisted_http.py");
const TWISTED_WS: &str = include_str!("twisted_ws.py");
const WEBSOCKETS_ECHO: &str = include_str!("websockets_echo.py");
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
    /// Sends back every byte, over an abstract UNIX socket.
    Unix,
    /// TLS: sends back every byte.
    TlsEcho,
    /// TLS: sends back every byte, with small buffers.
    TlsIdle,
    /// TLS: shakes hands, and waits for the end.
    TlsHandshake,
    /// Connects everybody with the backend, in both directions.
    Forward,
    /// Works on each message and sends it back, on one core; tells each client its core first.
    OneCore,
    /// The same on two cores, shared by the kernel's hash.
    KernelCores,
    /// The same on two cores, handed over to the one with fewer connections.
    LeastLoadedCores,
    /// The same on two cores: the kernel's hash, and handed over where it is uneven.
    HybridCores,
    /// Answers a greeting to every request.
    Http,
    /// The same, and 1 KiB of JSON at each of a hundred paths.
    HttpRoutes,
    /// WebSocket: sends back every message.
    Ws,
    /// WebSocket: sends back every message, each compressed by itself.
    WsDeflate,
    /// The same, where messages may refer to those before them.
    WsDeflateTakeover,
    /// WebSocket: sends back every message, of up to 16 MiB, with small buffers.
    WsIdle,
    /// The same, where compression was agreed on.
    WsIdleDeflate,
    /// WebSocket: sends every message to all.
    WsBroadcast,
    /// Answers with the content of files.
    Static,
    /// Sends back every datagram.
    Udp,
    /// The same, many in one system call.
    UdpBatched,
}

impl Mode {
    /// What its connections are.
    pub(crate) fn over(self) -> Over {
        match self {
            Self::Unix => Over::Unix,
            Self::TlsEcho | Self::TlsIdle | Self::TlsHandshake => Over::Tls,
            _ => Over::Tcp,
        }
    }

    /// Whether it stays on a core of its own; else it has all, and the generator shares them.
    pub(crate) fn stays_on_a_core(self) -> bool {
        self == Self::OneCore || !self.tells_core()
    }

    /// Whether it speaks HTTP.
    pub(crate) fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::HttpRoutes)
    }

    /// Whether it speaks WebSocket.
    pub(crate) fn is_ws(self) -> bool {
        matches!(self, Self::Ws | Self::WsIdle | Self::WsBroadcast) || self.deflates()
    }

    /// Whether it compresses.
    fn deflates(self) -> bool {
        matches!(
            self,
            Self::WsDeflate | Self::WsDeflateTakeover | Self::WsIdleDeflate
        )
    }

    /// Whether clients are told on which core they are.
    pub(crate) fn tells_core(self) -> bool {
        matches!(
            self,
            Self::OneCore | Self::KernelCores | Self::LeastLoadedCores | Self::HybridCores
        )
    }
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
    /// fastwebsockets, on tokio's current-thread runtime.
    Fastwebsockets,
    /// Twisted on its epoll reactor, run by this Python.
    Twisted(PathBuf),
    /// asyncio's protocols on uvloop, run by this Python.
    Uvloop(PathBuf),
    /// The `websockets` library, run by this Python.
    Websockets(PathBuf),
    /// nginx, if it is installed.
    Nginx,
    /// HAProxy, if it is installed.
    Haproxy,
    /// A server of `peers/`, if it was built.
    Built(PathBuf, &'static str),
}

/// The servers of `peers/`, each a program of its own.
const BUILT: [&str; 4] = ["hyper", "axum", "actix-web", "yawc"];

impl Peer {
    /// The peers built into this binary, the base of all ratios first.
    pub(crate) const BUILT_IN: [Self; 4] = [
        Self::Bare,
        Self::Tokio,
        Self::Fastwebsockets,
        Self::Ropewalk,
    ];

    /// The servers of others that the bench knows how to start.
    pub(crate) const FOREIGN: [Self; 2] = [Self::Nginx, Self::Haproxy];

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Tokio => "tokio",
            Self::Ropewalk => "ropewalk",
            Self::Fastwebsockets => "fastwebsockets",
            Self::Twisted(_) => "twisted",
            Self::Uvloop(_) => "uvloop",
            Self::Websockets(_) => "websockets",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Built(_, name) => name,
        }
    }

    /// The peer of that name that this binary is, or becomes.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let known = Self::BUILT_IN.into_iter().chain(Self::FOREIGN);
        known.into_iter().find(|peer| peer.name() == name)
    }

    /// Those of the foreign servers that are installed.
    pub(crate) fn installed() -> impl Iterator<Item = Self> {
        let found = |peer: &Self| foreign::installed(peer.name()).is_some();
        Self::FOREIGN.into_iter().filter(found)
    }

    /// Those of `peers/` that were built into that folder.
    pub(crate) fn built_in_folder(folder: &Path) -> impl Iterator<Item = Self> {
        let programs = BUILT.map(|name| Self::Built(folder.join(name), name));
        programs
            .into_iter()
            .filter(|peer| matches!(peer, Self::Built(program, _) if program.is_file()))
    }

    /// The peers `python` can run: those whose packages it imports.
    pub(crate) fn in_python(python: &Path) -> Vec<Self> {
        let twisted = imports(python, "twisted").then(|| Self::Twisted(python.to_owned()));
        let uvloop = imports(python, "uvloop").then(|| Self::Uvloop(python.to_owned()));
        let websockets =
            imports(python, "websockets.asyncio").then(|| Self::Websockets(python.to_owned()));
        let all = [twisted, uvloop, websockets];
        all.into_iter().flatten().collect()
    }

    /// Whether its allocations can be counted: it runs on this binary's allocator.
    pub(crate) fn is_built_in(&self) -> bool {
        Self::BUILT_IN.contains(self)
    }

    /// Whether it has a server of this kind.
    pub(crate) fn serves(&self, mode: Mode) -> bool {
        match self {
            Self::Bare => {
                !matches!(
                    mode,
                    Mode::EchoTimeout | Mode::HttpRoutes | Mode::Static | Mode::WsIdle
                ) && !mode.tells_core()
                    && !mode.deflates()
            }
            Self::Tokio => {
                !mode.tells_core()
                    && !matches!(mode, Mode::UdpBatched | Mode::Static)
                    && !mode.is_http()
                    && !mode.deflates()
            }
            Self::Ropewalk => mode != Mode::UdpBatched,
            Self::Fastwebsockets => matches!(mode, Mode::Ws | Mode::WsIdle),
            Self::Nginx => matches!(
                mode,
                Mode::TlsHandshake | Mode::Forward | Mode::Http | Mode::Static
            ),
            Self::Built(_, "yawc") => matches!(mode, Mode::Ws | Mode::WsIdle) || mode.deflates(),
            Self::Built(..) => mode.is_http(),
            Self::Twisted(_) if matches!(mode, Mode::Http | Mode::Ws) => true,
            Self::Websockets(_) => {
                matches!(mode, Mode::Ws | Mode::WsDeflate | Mode::WsDeflateTakeover)
            }
            Self::Haproxy => mode == Mode::Forward,
            Self::Twisted(_) | Self::Uvloop(_) => {
                matches!(mode, Mode::Echo | Mode::Idle | Mode::Accept)
            }
        }
    }

    /// The command that starts it; it prints its port on standard output.
    pub(crate) fn command(&self, mode: Mode) -> io::Result<Command> {
        if let Self::Built(program, _) = self {
            let mut command = Command::new(program);
            command.arg(word(mode));
            return Ok(command);
        }
        let script = match self {
            Self::Twisted(python) if mode == Mode::Http => Some((python, TWISTED_HTTP)),
            Self::Twisted(python) if mode == Mode::Ws => Some((python, TWISTED_WS)),
            Self::Twisted(python) => Some((python, TWISTED_ECHO)),
            Self::Websockets(python) => Some((python, WEBSOCKETS_ECHO)),
            Self::Uvloop(python) => Some((python, UVLOOP_ECHO)),
            _ => None,
        };
        if let Some((python, script)) = script {
            let mut command = Command::new(python);
            command.args(["-c", script, &word(mode)]);
            return Ok(command);
        }
        let mut command = this_binary()?;
        command.args(["serve", self.name(), &word(mode)]);
        Ok(command)
    }

    /// Becomes that server, which forwards to `backend` if that is what it does; returns only if it fails.
    pub(crate) fn serve(&self, mode: Mode, backend: u16) -> Outcome<()> {
        match self {
            Self::Bare if mode == Mode::Forward => bare_forward::serve(backend),
            Self::Bare if mode == Mode::Udp => udp::serve_singly(),
            Self::Bare if mode == Mode::UdpBatched => udp::serve_batches(),
            Self::Bare if mode.is_ws() => bare_ws::serve(mode == Mode::WsBroadcast),
            Self::Bare => bare::serve(mode),
            Self::Tokio if mode == Mode::Udp => udp::serve_tokio(),
            Self::Tokio if mode.is_ws() => tokio_ws::serve(tokio_ws::Library::Tungstenite, mode),
            Self::Fastwebsockets => tokio_ws::serve(tokio_ws::Library::Fastwebsockets, mode),
            Self::Tokio => tokio::serve(mode, backend),
            Self::Ropewalk => ours::serve(mode, backend),
            Self::Nginx => foreign::nginx(mode, backend),
            Self::Haproxy => foreign::haproxy(backend),
            Self::Twisted(_) | Self::Uvloop(_) | Self::Websockets(_) | Self::Built(..) => {
                Err("this server is a program of its own".into())
            }
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
