//! The handshake, seen from the client (RFC 6455 4.1).

use std::error::Error;
use std::fmt;

use super::extension::{COMPRESSION, Extension, ExtensionError, is_token, tokens};
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
    /// But for compression.
    extensions: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<super::Deflate>,
}

/// What a server agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol, one of those offered.
    pub protocol: Option<String>,
    /// Extensions that were offered by [`ClientHandshake::with_extension`], as the server answered, in its order.
    pub extensions: Vec<String>,
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
            extensions: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        }
    }

    /// The same offers with another nonce, for the next connection.
    #[must_use]
    pub fn with_nonce(mut self, nonce: [u8; 16]) -> Self {
        self.key = base64(&nonce);
        self
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

    /// Offers an extension, `x-trace; level=2`, after those offered before. One name is offered once.
    ///
    /// What it does is done to messages before they are sent, and after they came.
    ///
    /// # Errors
    ///
    /// It is none, it is offered already, or it is permessage-deflate, for which there is `with_deflate`.
    pub fn with_extension(mut self, offer: &str) -> Result<Self, ExtensionError> {
        let Extension { name, .. } = Extension::one(offer)?;
        if self.offers(name) {
            return Err(ExtensionError::Twice(name.into()));
        }
        self.extensions.push(offer.to_owned());
        Ok(self)
    }

    /// Whether an extension of this name is offered, but for compression.
    fn offers(&self, name: &str) -> bool {
        let mut offered = self.extensions.iter();
        offered.any(|offer| Extension::one(offer).is_ok_and(|offer| offer.name == name))
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
        let offers = self.extensions.iter().cloned();
        #[cfg(feature = "deflate")]
        let offers = offers.chain(self.deflate.as_ref().map(super::Deflate::offer)); // what is done last stands last
        let offers: Vec<String> = offers.collect();
        if !offers.is_empty() {
            fields.push((Name::SecWebsocketExtensions, offers.join(", ")));
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
        let mut agreed = Agreed {
            protocol: self.protocol(head)?,
            extensions: Vec::new(),
            #[cfg(feature = "deflate")]
            deflate: None,
        };
        for answer in extensions(head) {
            self.agree(answer.ok_or(AnswerRule::Extension)?, &mut agreed)?;
        }
        Ok(agreed)
    }

    /// Takes note of an extension that the server agreed to: each at most once, and none that was not offered.
    fn agree(&self, answer: Extension<'_>, agreed: &mut Agreed) -> Result<(), AnswerRule> {
        if answer.name == COMPRESSION {
            return self.agree_to_deflate(answer, agreed);
        }
        let is_of =
            |other: &String| Extension::one(other).is_ok_and(|other| other.name == answer.name);
        if !self.offers(answer.name) || agreed.extensions.iter().any(is_of) {
            return Err(AnswerRule::Extension);
        }
        agreed.extensions.push(answer.to_string());
        Ok(())
    }

    #[cfg(feature = "deflate")]
    fn agree_to_deflate(
        &self,
        answer: Extension<'_>,
        agreed: &mut Agreed,
    ) -> Result<(), AnswerRule> {
        let offered = self.deflate.as_ref().filter(|_| agreed.deflate.is_none());
        let deflate = offered.and_then(|offered| offered.agreed(answer));
        agreed.deflate = Some(deflate.ok_or(AnswerRule::Extension)?);
        Ok(())
    }

    #[cfg(not(feature = "deflate"))]
    fn agree_to_deflate(&self, _: Extension<'_>, _: &mut Agreed) -> Result<(), AnswerRule> {
        Err(AnswerRule::Extension)
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
