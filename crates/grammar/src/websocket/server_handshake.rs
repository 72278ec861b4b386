//! The handshake, seen from the server (RFC 6455 4.2).

use std::error::Error;
use std::fmt;

use super::extension::{Extension, tokens};
use super::sha1::{base64, is_base64_of_16, sha1};
use crate::http1::{BodyLength, Method, Name, RequestHead, Version};

/// A request for a WebSocket that is right in form; whether it is granted, and with what, is the application's to say.
///
/// ```
/// use ropewalk_grammar::http1::{Event, Name, RequestDecoder};
/// use ropewalk_grammar::websocket::ServerHandshake;
///
/// let mut decoder = RequestDecoder::new();
/// let mut input = decoder.receive(b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n");
/// let Some(Ok(Event::Head(head))) = input.next_event() else { panic!("a head is there") };
/// let handshake = ServerHandshake::read(&head)?;
/// let protocol = handshake.protocols().find(|name| *name == "superchat");
/// let fields = handshake.accept(protocol);
/// assert_eq!(fields[1], (Name::SecWebsocketAccept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
/// # Ok::<(), ropewalk_grammar::websocket::HandshakeRule>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ServerHandshake<'a> {
    head: RequestHead<'a>,
    key: &'a [u8],
}

/// A rule of the handshake that a client broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeRule {
    /// The method is GET (RFC 6455 4.2.1).
    Method,
    /// The version is HTTP/1.1; HTTP/1.0 knows no upgrade (RFC 9110 7.8, D8).
    HttpVersion,
    /// `Upgrade` and `Connection` ask for a WebSocket.
    Upgrade,
    /// The request has no content.
    Content,
    /// `Sec-WebSocket-Version` is 13.
    Version,
    /// `Sec-WebSocket-Key` is there once, and Base64 of sixteen bytes.
    Key,
    /// `Sec-WebSocket-Protocol` is a list of tokens, none of them twice.
    Protocols,
    /// `Sec-WebSocket-Extensions` is a list of extensions (RFC 6455 9.1).
    Extensions,
    /// `Origin` is there at most once, and visible ASCII.
    Origin,
}

/// So many subprotocols may be offered. Stops a list from being compared with itself for long (WS-07).
const MOST_PROTOCOLS: usize = 64;

impl<'a> ServerHandshake<'a> {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks; the rule knows what to answer.
    pub fn read(head: &RequestHead<'a>) -> Result<Self, HandshakeRule> {
        if head.method() != Method::Get {
            return Err(HandshakeRule::Method);
        }
        if head.version() != Version::Http11 {
            return Err(HandshakeRule::HttpVersion);
        }
        let upgrade = head.upgrade().unwrap_or_default();
        if !tokens(upgrade).any(|token| token.is_some_and(is_websocket)) {
            return Err(HandshakeRule::Upgrade);
        }
        if !matches!(head.body(), BodyLength::Empty | BodyLength::Known(0)) {
            return Err(HandshakeRule::Content);
        }
        if only(head, Name::SecWebsocketVersion) != Some(b"13") {
            return Err(HandshakeRule::Version);
        }
        let key = only(head, Name::SecWebsocketKey).filter(|key| is_base64_of_16(key));
        let key = key.ok_or(HandshakeRule::Key)?;
        let this = Self { head: *head, key };
        this.check_lists()?;
        Ok(this)
    }

    fn check_lists(&self) -> Result<(), HandshakeRule> {
        let fields = self.head.fields();
        let mut protocols = Vec::new();
        for token in fields.values(Name::SecWebsocketProtocol).flat_map(tokens) {
            let token = token.filter(|token| !protocols.contains(token));
            if protocols.len() == MOST_PROTOCOLS {
                return Err(HandshakeRule::Protocols);
            }
            protocols.push(token.ok_or(HandshakeRule::Protocols)?);
        }
        let mut offers = fields
            .values(Name::SecWebsocketExtensions)
            .flat_map(Extension::parse);
        if offers.any(|offer| offer.is_none()) {
            return Err(HandshakeRule::Extensions);
        }
        match fields.values(Name::Origin).count() {
            0 => Ok(()),
            1 if self.origin().is_some() => Ok(()),
            _ => Err(HandshakeRule::Origin),
        }
    }

    /// The subprotocols that the client offers, its favourite first.
    pub fn protocols(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let values = self.head.fields().values(Name::SecWebsocketProtocol);
        values.flat_map(tokens).flatten()
    }

    /// The extensions that the client offers, its favourite first.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let values = self.head.fields().values(Name::SecWebsocketExtensions);
        values.flat_map(Extension::parse).flatten()
    }

    /// Where the page comes from whose script asks; browsers always say so, others need not (RFC 6455 10.2).
    pub fn origin(&self) -> Option<&'a str> {
        let value = self.head.value(Name::Origin)?;
        let text = std::str::from_utf8(value).ok()?;
        text.bytes()
            .all(|byte| byte.is_ascii_graphic())
            .then_some(text)
    }

    /// Whether the page comes from the very host that is asked, on any scheme; true if no page asks.
    ///
    /// A browser lets every page connect to every server, and sends the server's cookies along. Unless the server looks at
    /// the origin, a foreign page speaks in the user's name (cross-site WebSocket hijacking).
    pub fn is_same_origin(&self) -> bool {
        let Some(origin) = self.origin() else {
            return true;
        };
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let Some(asked) = self.head.authority() else {
            return false;
        };
        let default_port = if scheme.eq_ignore_ascii_case("https") {
            443
        } else {
            80
        };
        let (host, port) = split_port(authority);
        let same_port = match (port, asked.port()) {
            (port, asked) if port == asked => true,
            (None, Some(asked)) => asked == default_port,
            (Some(port), None) => port == default_port,
            _ => false,
        };
        host.eq_ignore_ascii_case(asked.host()) && same_port
    }

    /// The head of the request.
    pub fn head(&self) -> &RequestHead<'a> {
        &self.head
    }

    /// The fields of the answer 101, but for `Connection`. Extensions that are agreed to, of those
    /// [offered](Self::extensions), are one field more: `Sec-WebSocket-Extensions`.
    ///
    /// # Panics
    ///
    /// When `protocol` is none of those offered (RFC 6455 4.2.2).
    pub fn accept(&self, protocol: Option<&str>) -> Vec<(Name, String)> {
        let mut fields = vec![
            (Name::Upgrade, "websocket".to_owned()),
            (Name::SecWebsocketAccept, accept_value(self.key)),
        ];
        if let Some(protocol) = protocol {
            assert!(
                self.protocols().any(|offered| offered == protocol),
                "ServerHandshake::accept({protocol:?}): choose one of the subprotocols offered, or none"
            );
            fields.push((Name::SecWebsocketProtocol, protocol.to_owned()));
        }
        fields
    }
}

impl HandshakeRule {
    /// The status to answer: 405 for another method, else 400 (R161).
    ///
    /// RFC 6455 leaves the status open: 4.2.1 names 400, for another version 4.2.2 names 426 and 4.4 shows 400. One status for
    /// all that is wrong in form needs no guess at what was meant.
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            _ => 400,
        }
    }

    /// The fields that belong to the status.
    pub const fn fields(self) -> &'static [(Name, &'static str)] {
        match self {
            Self::Method => &[(Name::Allow, "GET")],
            // Whatever is wrong: the client learns what would be right (RFC 6455 4.2.2, 4.4).
            Self::Version => &[(Name::SecWebsocketVersion, "13")],
            _ => &[],
        }
    }
}

impl fmt::Display for HandshakeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "a WebSocket is asked for with GET",
            Self::HttpVersion => "a WebSocket is asked for in HTTP/1.1",
            Self::Upgrade => "only WebSockets are to be had here: ask with Upgrade: websocket and Connection: Upgrade",
            Self::Content => "a request for a WebSocket has no content",
            Self::Version => "the version of WebSocket is 13",
            Self::Key => "Sec-WebSocket-Key must be there once, sixteen bytes in Base64",
            Self::Protocols => "Sec-WebSocket-Protocol must be a list of tokens, none of them twice",
            Self::Extensions => "Sec-WebSocket-Extensions must be a list of extensions",
            Self::Origin => "Origin must be there at most once, of visible ASCII",
        })
    }
}

impl Error for HandshakeRule {}

/// What a server answers to a key (RFC 6455 4.2.2).
pub(super) fn accept_value(key: &[u8]) -> String {
    base64(&sha1(
        &[key, b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat(),
    ))
}

pub(super) fn is_websocket(token: &str) -> bool {
    token.eq_ignore_ascii_case("websocket")
}

/// The value of the field that is there once.
fn only<'a>(head: &RequestHead<'a>, name: Name) -> Option<&'a [u8]> {
    let mut values = head.fields().values(name);
    values.next().filter(|_| values.next().is_none())
}

fn split_port(authority: &str) -> (&str, Option<u16>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}
