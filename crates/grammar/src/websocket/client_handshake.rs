//! The handshake, seen from the client (RFC 6455 4.1).

use std::error::Error;
use std::fmt;

use super::extension::{Extension, is_token, tokens};
use super::server_handshake::{accept_value, is_websocket};
use super::sha1::base64;
use crate::http1::{Name, ResponseHead};

/// A request for a WebSocket, and what its answer must be.
///
/// ```
/// use ropewalk_grammar::http1::Name;
/// use ropewalk_grammar::websocket::ClientHandshake;
///
/// let handshake = ClientHandshake::new([7; 16]).with_protocol("chat")?;
/// let fields = handshake.fields();
/// assert!(fields.contains(&(Name::SecWebsocketProtocol, "chat".to_owned())));
/// # Ok::<(), ropewalk_grammar::websocket::NotAToken>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    key: String,
    protocols: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<super::Deflate>,
}

/// What a server agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol, one of those offered.
    pub protocol: Option<String>,
    /// Compression, if it was offered.
    #[cfg(feature = "deflate")]
    pub deflate: Option<super::DeflateAgreed>,
}

/// How the answer 101 of a server does not fit what was asked: fail the connection (RFC 6455 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerRule {
    /// `Upgrade` says what was agreed to: `websocket`, and nothing else.
    Upgrade,
    /// `Sec-WebSocket-Accept` belongs to the key that was sent.
    Accept,
    /// A subprotocol was agreed to that was not offered, or two.
    Protocol,
    /// An extension was agreed to that was not offered, or not so.
    Extension,
}

/// A subprotocol must be a token (RFC 6455 4.1); this is none (WS-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAToken(pub Box<str>);

impl ClientHandshake {
    /// A request with this nonce, which must be new for each connection.
    pub fn new(nonce: [u8; 16]) -> Self {
        Self {
            key: base64(&nonce),
            protocols: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// Offers a subprotocol, after those offered before.
    ///
    /// # Errors
    ///
    /// It is not a token.
    pub fn with_protocol(mut self, protocol: &str) -> Result<Self, NotAToken> {
        if !is_token(protocol) {
            return Err(NotAToken(protocol.into()));
        }
        if !self.protocols.iter().any(|offered| offered == protocol) {
            self.protocols.push(protocol.to_owned());
        }
        Ok(self)
    }

    /// Offers compression.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, deflate: super::Deflate) -> Self {
        self.deflate = Some(deflate);
        self
    }

    /// The fields of the request, but for `Host` and `Connection`.
    pub fn fields(&self) -> Vec<(Name, String)> {
        let mut fields = vec![
            (Name::Upgrade, "websocket".to_owned()),
            (Name::SecWebsocketKey, self.key.clone()),
            (Name::SecWebsocketVersion, "13".to_owned()),
        ];
        if !self.protocols.is_empty() {
            fields.push((Name::SecWebsocketProtocol, self.protocols.join(", ")));
        }
        #[cfg(feature = "deflate")]
        if let Some(deflate) = &self.deflate {
            fields.push((Name::SecWebsocketExtensions, deflate.offer()));
        }
        fields
    }

    /// Reads the answer 101.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks.
    pub fn agreed(&self, head: &ResponseHead<'_>) -> Result<Agreed, AnswerRule> {
        let fields = head.fields();
        let mut upgrades = fields.values(Name::Upgrade).flat_map(tokens);
        if !upgrades.next().flatten().is_some_and(is_websocket) || upgrades.next().is_some() {
            return Err(AnswerRule::Upgrade);
        }
        let mut accepts = fields.values(Name::SecWebsocketAccept);
        let expected = accept_value(self.key.as_bytes());
        if accepts.next() != Some(expected.as_bytes()) || accepts.next().is_some() {
            return Err(AnswerRule::Accept);
        }
        Ok(Agreed {
            protocol: self.protocol(head)?,
            #[cfg(feature = "deflate")]
            deflate: self.deflate(head)?,
        })
        .and_then(|agreed| self.has_no_more(head).map(|()| agreed))
    }

    fn protocol(&self, head: &ResponseHead<'_>) -> Result<Option<String>, AnswerRule> {
        let mut chosen = head.fields().values(Name::SecWebsocketProtocol);
        let Some(protocol) = chosen.next() else {
            return Ok(None);
        };
        let offered = self.protocols.iter();
        let mut offered = offered.filter(|offered| offered.as_bytes() == protocol);
        match (offered.next(), chosen.next()) {
            (Some(protocol), None) => Ok(Some(protocol.clone())),
            _ => Err(AnswerRule::Protocol),
        }
    }

    #[cfg(feature = "deflate")]
    fn deflate(&self, head: &ResponseHead<'_>) -> Result<Option<super::DeflateAgreed>, AnswerRule> {
        let Some(answer) = extensions(head).next() else {
            return Ok(None);
        };
        let offered = self.deflate.as_ref().ok_or(AnswerRule::Extension)?;
        let agreed = offered.agreed(answer.ok_or(AnswerRule::Extension)?);
        agreed.ok_or(AnswerRule::Extension).map(Some)
    }

    /// No more extensions than were offered.
    fn has_no_more(&self, head: &ResponseHead<'_>) -> Result<(), AnswerRule> {
        let offered = usize::from(cfg!(feature = "deflate"));
        match extensions(head).nth(offered) {
            None => Ok(()),
            Some(_) => Err(AnswerRule::Extension),
        }
    }
}

fn extensions<'a>(head: &ResponseHead<'a>) -> impl Iterator<Item = Option<Extension<'a>>> {
    let values = head.fields().values(Name::SecWebsocketExtensions);
    values.flat_map(Extension::parse)
}

impl fmt::Display for AnswerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upgrade => "the server agreed to something else than a WebSocket",
            Self::Accept => "Sec-WebSocket-Accept does not belong to the key that was sent",
            Self::Protocol => "the server chose a subprotocol that was not offered",
            Self::Extension => "the server agreed to an extension that was not offered, or not so",
        })
    }
}

impl Error for AnswerRule {}

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text) = self;
        write!(
            f,
            "a subprotocol is a token, of letters, digits and few marks, which {text:?} is not"
        )
    }
}

impl Error for NotAToken {}
