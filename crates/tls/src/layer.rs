//! TLS between a connection's bytes and its protocol.
//!
//! ```text
//!   driver's buffer ─► whole records: decrypted where they lie ─► up
//!                  └─► the beginning of one: kept in `tail` until the rest comes, and only then
//! ```

use std::mem::take;
use std::sync::Arc;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Encrypted, Facts, Layer};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::{Acceptor, UnbufferedServerConnection};
use rustls::{Error, ServerConfig};

use crate::client::{TlsClient, server_name};
use crate::error::TlsError;
use crate::facts::{TlsFacts, take_server_name};
use crate::peer_error::PeerError;
use crate::server::TlsServer;
use crate::session::Session;

/// A handshake of more bytes is refused, and so are messages that come in so many bytes after it. A hello with post-quantum
/// keys has under 2 KiB, a long chain of certificates 20 KiB. Stops peers that fill our memory before anybody knows them, as
/// by a hello cut into records of one byte each.
const HANDSHAKE_BYTES: usize = 128 * 1024;

/// A fatal alert, as long as nothing is encrypted (RFC 8446 section 6).
const DECODE_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 50];

/// TLS for one connection: give it to a [`Factory`](ropewalk_core::Factory)'s `layers`, as [`TlsFactory`](crate::TlsFactory)
/// does, or push it on a live connection (STARTTLS), also on one that has TLS already.
///
/// Push it with the `push_layer` of `Lines` or `Strings`: bytes behind the command that begins TLS came in clear, from whoever
/// sits between (CVE-2014-3556), and it ends the connection when there are any.
/// [`Transport::push_layer`](ropewalk_core::Transport::push_layer) knows only what its protocol was not given yet: a protocol with
/// a buffer of its own must reject what lies in it.
///
/// ```
/// use ropewalk_protocols::{LineProtocol, Lines};
/// use ropewalk_tls::{TlsLayer, TlsServer};
///
/// struct Mail(TlsServer);
///
/// impl LineProtocol for Mail {
///     fn line_received(&mut self, lines: &Lines, line: &[u8]) {
///         if line.eq_ignore_ascii_case(b"STARTTLS") {
///             lines.send_line("220 go ahead").expect("has no line break"); // the last line in clear
///             lines.push_layer(TlsLayer::server(&self.0));
///         }
///     }
/// }
/// ```
pub struct TlsLayer {
    stage: Stage,
    /// The beginning of a record whose rest has not come.
    tail: Vec<u8>,
    handshake_bytes: usize,
    server_name: Option<Box<str>>,
    is_closed: bool,
    is_ended: bool,
}

enum Stage {
    New(Side),
    /// The hello is looked at before it is answered.
    Peeking(Box<Peek>),
    Session(Box<Session>),
    Failed,
}

enum Side {
    Client(TlsClient, ServerName<'static>),
    Server(TlsServer),
}

struct Peek {
    server: TlsServer,
    acceptor: Acceptor,
}

impl TlsLayer {
    /// The server's side.
    #[must_use]
    pub fn server(server: &TlsServer) -> Self {
        Self::new(Side::Server(server.clone()))
    }

    /// The client's side; the certificate must be for this name, of DNS or an IP address.
    ///
    /// # Errors
    ///
    /// No server can have this name.
    pub fn client(client: &TlsClient, name: &str) -> Result<Self, TlsError> {
        Ok(Self::client_of(client, server_name(name)?))
    }

    pub(crate) fn client_of(client: &TlsClient, name: ServerName<'static>) -> Self {
        Self::new(Side::Client(client.clone(), name))
    }

    const fn new(side: Side) -> Self {
        Self {
            stage: Stage::New(side),
            tail: Vec::new(),
            handshake_bytes: 0,
            server_name: None,
            is_closed: false,
            is_ended: false,
        }
    }

    /// Ends the session, after it said what is wrong.
    fn fail(&mut self, error: impl Into<PeerError>, down: &mut Vec<u8>) -> LayerError {
        let said = down.len();
        let in_clear = match &mut self.stage {
            Stage::Session(session) => {
                session.end(down);
                session.state().protocol_version().is_none()
            }
            Stage::New(_) | Stage::Peeking(_) => true,
            Stage::Failed => false,
        };
        if in_clear && down.len() == said && said == 0 {
            down.extend_from_slice(&DECODE_ERROR); // rustls has no word for some hellos that it refuses
        }
        self.stage = Stage::Failed;
        self.tail = Vec::new();
        LayerError::Misbehaved(Box::new(error.into()))
    }

    fn begin_server(&mut self, config: &Arc<ServerConfig>) -> Result<(), Error> {
        let session = UnbufferedServerConnection::new(Arc::clone(config))?;
        self.stage = Stage::Session(Box::new(Session::Server(session)));
        Ok(())
    }

    /// Looks at the hello for the protocols that the client offers. rustls ends the connection when none is in common; then
    /// it gets a configuration without.
    fn peek(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), Error> {
        self.tail.extend_from_slice(data);
        let Stage::Peeking(peek) = &mut self.stage else {
            return Ok(());
        };
        let mut unread = data;
        while !unread.is_empty() {
            let read = peek.acceptor.read_tls(&mut unread);
            if !read.is_ok_and(|count| count > 0) {
                return Err(rustls::InvalidMessage::HandshakePayloadTooLarge.into());
            }
            let accepted = match peek.acceptor.accept() {
                Ok(None) => continue,
                Ok(Some(accepted)) => accepted,
                Err((error, mut alert)) => {
                    let _into_memory = alert.write_all(down);
                    return Err(error);
                }
            };
            let config = choose(&peek.server, accepted.client_hello().alpn());
            let config = Arc::clone(config);
            return self.begin_server(&config);
        }
        Ok(())
    }

    /// Gives the session what was looked at, once there is one.
    fn feed_hello(
        &mut self,
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<(), PeerError> {
        if matches!(self.stage, Stage::Peeking(_)) {
            return Ok(());
        }
        let mut hello = take(&mut self.tail);
        self.feed(&mut hello, up, down)
    }

    /// Bytes for the session, with as few copies as their cut allows.
    fn feed(
        &mut self,
        mut data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<(), PeerError> {
        while !self.tail.is_empty() && !self.is_ended {
            let (now, rest) = data.split_at_mut(missing(&self.tail).min(data.len()));
            self.tail.extend_from_slice(now);
            data = rest;
            let mut tail = take(&mut self.tail);
            let used = self.process(&mut tail, up, down)?;
            if used < tail.len() {
                tail.drain(..used);
                self.tail = tail;
            }
            if self.tail.len() > HANDSHAKE_BYTES {
                return Err(PeerError::too_long(HANDSHAKE_BYTES));
            }
            if data.is_empty() {
                return Ok(());
            }
        }
        let used = self.process(data, up, down)?;
        if !self.is_ended {
            self.tail.extend_from_slice(&data[used..]);
        }
        Ok(())
    }

    fn process(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<usize, PeerError> {
        let Stage::Session(session) = &mut self.stage else {
            return Ok(data.len());
        };
        let (used, ended) = session.receive(data, up, down)?;
        self.is_ended |= ended;
        Ok(used)
    }
}

/// How many bytes complete the record at the front; all there are when it is complete, and waits for another one.
fn missing(tail: &[u8]) -> usize {
    const HEADER: usize = 5;
    let Some(&[high, low]) = tail.get(3..HEADER) else {
        return HEADER - tail.len();
    };
    let record = HEADER + usize::from(u16::from_be_bytes([high, low]));
    match record.saturating_sub(tail.len()) {
        0 => usize::MAX,
        missing => missing,
    }
}

/// The configuration for a client that offers these protocols.
fn choose<'a, 'b>(
    server: &'a TlsServer,
    offered: Option<impl Iterator<Item = &'b [u8]>>,
) -> &'a Arc<ServerConfig> {
    let ours = &server.config.alpn_protocols;
    let is_ours = |theirs: &[u8]| ours.iter().any(|name| name == theirs);
    if offered.is_some_and(|mut offered| offered.any(is_ours)) {
        &server.config
    } else {
        &server.without_alpn
    }
}

impl Layer for TlsLayer {
    fn name(&self) -> &'static str {
        "TLS"
    }

    fn start(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        let Stage::New(side) = std::mem::replace(&mut self.stage, Stage::Failed) else {
            return Ok(());
        };
        let begun = match side {
            Side::Server(server) if server.config.alpn_protocols.is_empty() => {
                self.begin_server(&server.config)
            }
            Side::Server(server) => {
                let acceptor = Acceptor::default();
                self.stage = Stage::Peeking(Box::new(Peek { server, acceptor }));
                Ok(())
            }
            Side::Client(client, name) => {
                if let ServerName::DnsName(name) = &name {
                    self.server_name = Some(name.as_ref().into());
                }
                UnbufferedClientConnection::new(client.config, name).and_then(|session| {
                    let mut session = Box::new(Session::Client(session));
                    let spoken = session.begin(down);
                    self.stage = Stage::Session(session);
                    spoken
                })
            }
        };
        begun.map_err(|error| self.fail(error, down))
    }

    fn is_open(&self) -> bool {
        match &self.stage {
            Stage::Session(session) => !session.state().is_handshaking(),
            Stage::New(_) | Stage::Peeking(_) | Stage::Failed => false,
        }
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        if self.is_ended || matches!(self.stage, Stage::Failed) {
            return Ok(()); // RFC 8446 section 6.1: what comes after the close alert is ignored
        }
        let opening = !self.is_open();
        if opening {
            self.handshake_bytes += data.len();
            if self.handshake_bytes > HANDSHAKE_BYTES {
                return Err(self.fail(PeerError::too_long(HANDSHAKE_BYTES), down));
            }
        }
        let fed = if matches!(self.stage, Stage::Peeking(_)) {
            let peeked = self.peek(data, down).map_err(PeerError::from);
            peeked.and_then(|()| self.feed_hello(up, down))
        } else {
            self.feed(data, up, down)
        };
        if opening && let Some(name) = take_server_name() {
            self.server_name = Some(name);
        }
        fed.map_err(|error| self.fail(error, down))
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        if let Stage::Session(session) = &mut self.stage
            && !self.is_closed
            && !session.send(data, &mut self.tail, down)
        {
            tracing::warn!("the keys of a TLS session are used up; it ends");
            self.close(down);
        }
    }

    fn close(&mut self, down: &mut Vec<u8>) {
        if let Stage::Session(session) = &mut self.stage
            && !self.is_closed
        {
            self.is_closed = true;
            session.close(&mut self.tail, down);
        }
    }

    fn is_closed(&self) -> bool {
        self.is_ended || !self.is_open()
    }

    fn is_ended(&self) -> bool {
        self.is_ended
    }

    fn eof(&mut self) -> Result<(), LayerError> {
        match self.stage {
            Stage::Failed => Ok(()),
            _ if self.is_ended => Ok(()),
            _ => Err(LayerError::Truncated),
        }
    }

    fn facts(&self, facts: &mut Facts) {
        if let Stage::Session(session) = &self.stage {
            facts.add(Encrypted);
            facts.add(TlsFacts::of(session.state(), self.server_name.as_deref()));
        }
    }
}

impl std::fmt::Debug for TlsLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = match &self.stage {
            Stage::New(_) => "new",
            Stage::Peeking(_) => "waits for the hello",
            Stage::Session(session) if session.state().is_handshaking() => "shakes hands",
            Stage::Session(_) => "open",
            Stage::Failed => "failed",
        };
        write!(f, "TlsLayer({stage})")
    }
}
