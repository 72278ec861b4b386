//! WebSockets, served.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use http::{HeaderValue, StatusCode};
use ropewalk_core::{Factory, Protocol, Transport};
use ropewalk_grammar::http1::{Name, RequestHead};
use ropewalk_grammar::websocket::{DeflateAgreed, Encoder, Role, ServerHandshake};

use super::options::WebSocketOptions;
use super::origins::Origins;
use super::protocol::WebSocketProtocol;
use super::receiver::{Agreement, WebSocketReceiver, decoder, deflating};
use super::refusal::Refusal;
use super::upgrading::Upgrading;
use crate::headers::Headers;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;

/// Serves WebSockets: by itself, as a [`Factory`] for any endpoint; in a [`Site`](crate::Site), as a [`Resource`]; or behind
/// any other server, by [`upgrade`](Self::upgrade). Clones are the same server.
///
/// The closure makes the protocol of each connection, from what was asked for.
///
/// ```
/// use ropewalk_web::websocket::{Origins, Refusal, WebSocket, WebSocketProtocol, WebSocketServer};
///
/// struct Room(String);
/// impl WebSocketProtocol for Room {
///     fn opened(&mut self, socket: &WebSocket) {
///         socket.send_text(format!("welcome to {}", self.0));
///     }
/// }
///
/// let server = WebSocketServer::fallible(|opening| match opening.path().strip_prefix("/rooms/") {
///     Some(room) => Ok(Room(room.to_owned())),
///     None => Err(Refusal::new(404, "there is no such room")),
/// });
/// let server = server.with_origins(Origins::DangerousAny).with_subprotocols(["chat"]);
/// ```
pub struct WebSocketServer<P: WebSocketProtocol>(Rc<Settings<P>>);

struct Settings<P> {
    make: RefCell<Make<P>>,
    options: Rc<WebSocketOptions>,
    origins: Origins,
    subprotocols: Vec<String>,
}

type Make<P> = Box<dyn FnMut(&Opening<'_>) -> Result<P, Refusal>>;

/// A request that may become a WebSocket.
#[derive(Debug)]
pub struct Opening<'a> {
    handshake: ServerHandshake<'a>,
    subprotocol: Option<&'a str>,
}

/// A request that becomes a WebSocket: answer 101 with `fields`, then give the connection to `protocol`.
#[derive(Debug)]
pub struct Upgrade<P: WebSocketProtocol> {
    /// The fields of the answer 101, but for `Connection`.
    pub fields: Vec<(Name, String)>,
    /// What goes on with the connection, and with the bytes that came behind the request.
    pub protocol: WebSocketReceiver<P>,
}

impl<P: WebSocketProtocol> WebSocketServer<P> {
    /// A server of protocols that `make` makes.
    #[must_use]
    pub fn new(mut make: impl FnMut(&Opening<'_>) -> P + 'static) -> Self {
        Self::fallible(move |opening| Ok(make(opening)))
    }

    /// A server of protocols that `make` makes, or refuses to: who asks is not let in, what is asked for is not there.
    #[must_use]
    pub fn fallible(make: impl FnMut(&Opening<'_>) -> Result<P, Refusal> + 'static) -> Self {
        Self(Rc::new(Settings {
            make: RefCell::new(Box::new(make)),
            options: Rc::default(),
            origins: Origins::Same,
            subprotocols: Vec::new(),
        }))
    }

    /// With other limits and habits.
    #[must_use]
    pub fn with_options(self, options: WebSocketOptions) -> Self {
        self.change(|settings| settings.options = Rc::new(options))
    }

    /// Lets pages of others connect.
    #[must_use]
    pub fn with_origins(self, origins: Origins) -> Self {
        self.change(|settings| settings.origins = origins)
    }

    /// Speaks these subprotocols, its favourite first: of those that a client offers, the first of ours is chosen, or none.
    #[must_use]
    pub fn with_subprotocols<T: Into<String>>(
        self,
        subprotocols: impl IntoIterator<Item = T>,
    ) -> Self {
        let subprotocols = subprotocols.into_iter().map(Into::into).collect();
        self.change(|settings| settings.subprotocols = subprotocols)
    }

    fn change(mut self, change: impl FnOnce(&mut Settings<P>)) -> Self {
        let settings = Rc::get_mut(&mut self.0);
        change(settings.expect("a WebSocketServer is set up before it is cloned or used"));
        self
    }

    /// Looks at a request: a WebSocket, or a refusal.
    ///
    /// # Errors
    ///
    /// What to answer instead.
    pub fn upgrade(&self, head: &RequestHead<'_>) -> Result<Upgrade<P>, Refusal> {
        let settings = &*self.0;
        let handshake = ServerHandshake::read(head)?;
        if !settings.origins.allow(&handshake) {
            return Err(Refusal::new(403, "pages of this origin may not connect"));
        }
        let ours = settings.subprotocols.iter();
        let subprotocol = ours
            .filter_map(|ours| handshake.protocols().find(|theirs| theirs == ours))
            .next();
        let opening = Opening {
            handshake,
            subprotocol,
        };
        let protocol = (settings.make.borrow_mut())(&opening)?;
        let deflate = settings.options.deflate.as_ref();
        let deflate = deflate.and_then(|deflate| deflate.agree(handshake.extensions()));
        let mut fields = handshake.accept(subprotocol);
        fields.extend(deflate.map(|agreed| (Name::SecWebsocketExtensions, agreed.answer())));
        let protocol = self.receiver(protocol, subprotocol, deflate);
        Ok(Upgrade { fields, protocol })
    }

    fn receiver(
        &self,
        protocol: P,
        subprotocol: Option<&str>,
        deflate: Option<DeflateAgreed>,
    ) -> WebSocketReceiver<P> {
        let options = &self.0.options;
        let agreement = Agreement {
            options: Rc::clone(options),
            subprotocol: subprotocol.map(Into::into),
            encoder: deflating(Encoder::server(), options, deflate),
            is_deflated: deflate.is_some(),
            opened: None,
        };
        let decoder = decoder(Role::Server, options, deflate);
        WebSocketReceiver::new(protocol, decoder, agreement)
    }

    pub(super) fn options(&self) -> &WebSocketOptions {
        &self.0.options
    }
}

impl<'a> Opening<'a> {
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

    /// Where the page comes from whose script connects.
    #[must_use]
    pub fn origin(&self) -> Option<&'a str> {
        self.handshake.origin()
    }

    /// The subprotocol chosen.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.subprotocol
    }
}

impl<P: WebSocketProtocol> Factory for WebSocketServer<P> {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Upgrading::new(self.clone())))
    }
}

impl<P: WebSocketProtocol> Resource for WebSocketServer<P> {
    fn methods(&self) -> Methods {
        Methods::GET
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render_get(&self, request: &Request) -> Reply {
        match self.upgrade(&request.head()) {
            Ok(Upgrade { fields, protocol }) => {
                let mut headers = Headers::new();
                for (name, value) in fields {
                    let set = headers.set(name, value);
                    set.expect("the values of a handshake are tokens");
                }
                Response::switch(headers, protocol).into()
            }
            Err(refusal) => {
                let status = StatusCode::from_u16(refusal.status());
                let status = status.expect("a refusal has a right status");
                let mut response = Response::text(refusal.text.clone()).with_status(status);
                for (name, value) in refusal.fields {
                    let value = HeaderValue::from_static(value);
                    response.headers_mut().replace(name.into(), value);
                }
                response.into()
            }
        }
    }
}

impl<P: WebSocketProtocol> Clone for WebSocketServer<P> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<P: WebSocketProtocol> fmt::Debug for WebSocketServer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketServer")
            .field("origins", &self.0.origins)
            .field("subprotocols", &self.0.subprotocols)
            .finish_non_exhaustive()
    }
}
