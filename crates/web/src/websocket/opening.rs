//! What a server decides on.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use ropewalk_grammar::http1::RequestHead;
use ropewalk_grammar::websocket::{Extension, ExtensionError, ServerHandshake};

use crate::param_error::ParamError;
use crate::request::Request;

/// A request that may become a WebSocket: what is asked for, and what is agreed on.
///
/// ```
/// use ropewalk_web::websocket::{Conversation, Refusal, WebSocketServer};
///
/// let server = WebSocketServer::fallible(|opening| {
///     if opening.query() != Some("key=secret") {
///         return Err(Refusal::new(403, "you do not know the key"));
///     }
///     opening.choose_subprotocol("tea.v2");
///     Ok(Conversation::new(|socket| async move {
///         socket.send_text(format!("we speak {:?}", socket.subprotocol()));
///     }))
/// });
/// ```
#[derive(Debug)]
pub struct Opening<'a> {
    handshake: ServerHandshake<'a>,
    request: Option<&'a Request>,
    subprotocol: Cell<Option<&'a str>>,
    extensions: RefCell<Vec<String>>,
}

impl<'a> Opening<'a> {
    pub(super) fn new(
        handshake: ServerHandshake<'a>,
        request: Option<&'a Request>,
        subprotocol: Option<&'a str>,
    ) -> Self {
        Self {
            handshake,
            request,
            subprotocol: Cell::new(subprotocol),
            extensions: RefCell::default(),
        }
    }

    /// The path that was asked for, as it was sent.
    #[must_use]
    pub fn path(&self) -> &'a str {
        let target = self.handshake.head().target_text();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// What stands behind the path's question mark, as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        let target = self.handshake.head().target_text();
        target.split_once('?').map(|(_, query)| query)
    }

    /// The head of the request: cookies, credentials, and all else.
    #[must_use]
    pub fn head(&self) -> &RequestHead<'a> {
        self.handshake.head()
    }

    /// The request, if it came to a site: who asks, by which proxy, in which session; none for a server by itself.
    #[must_use]
    pub fn request(&self) -> Option<&'a Request> {
        self.request
    }

    /// A parameter of the route, as [`Request::param`]. A server by itself has no routes, so no parameters.
    ///
    /// # Errors
    ///
    /// There is none of this name, or it is no `T`; a [`Refusal`](super::Refusal) by `?`.
    pub fn param<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, ParamError> {
        match self.request {
            Some(request) => request.param(name),
            None => Err(ParamError::missing(name)),
        }
    }

    /// What a wrapper of this resource has found out, as [`Request::get`]: the avatar of a `Guard`, a [`User`](crate::User).
    #[must_use]
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        self.request?.get()
    }

    /// Where the page comes from whose script connects.
    #[must_use]
    pub fn origin(&self) -> Option<&'a str> {
        self.handshake.origin()
    }

    /// The subprotocol chosen.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.subprotocol.get()
    }

    /// The subprotocols that the client offers, its favourite first.
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.handshake.protocols()
    }

    /// Chooses this subprotocol, if the client offers it; tells whether it does.
    pub fn choose_subprotocol(&self, name: &str) -> bool {
        let offered = self.subprotocols().find(|offered| *offered == name);
        if offered.is_some() {
            self.subprotocol.set(offered);
        }
        offered.is_some()
    }

    /// The extensions that the client offers, its favourite first, with their parameters.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        self.handshake.extensions()
    }

    /// Agrees to an extension, `x-trace; level=2`, which the client offers. What it does to messages your protocol does, before it
    /// sends them and after they came ([`WebSocket::extensions`](super::WebSocket::extensions)); frames stay those of RFC 6455.
    ///
    /// # Errors
    ///
    /// It was not offered, was agreed to before, is none, or is permessage-deflate, which is a matter of the
    /// [options](super::WebSocketOptions::deflate).
    pub fn agree_to_extension(&self, answer: &str) -> Result<(), ExtensionError> {
        let Extension { name, .. } = Extension::one(answer)?;
        if !self.extensions().any(|offer| offer.name == name) {
            return Err(ExtensionError::NotOffered(name.into()));
        }
        let mut agreed = self.extensions.borrow_mut();
        let is_of = |other: &String| Extension::one(other).is_ok_and(|other| other.name == name);
        if agreed.iter().any(is_of) {
            return Err(ExtensionError::Twice(name.into()));
        }
        agreed.push(answer.to_owned());
        Ok(())
    }

    /// What was agreed to.
    pub(super) fn into_extensions(self) -> Vec<String> {
        self.extensions.into_inner()
    }
}
