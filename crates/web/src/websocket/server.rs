//! WebSockets, served.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use ropewalk_core::{Factory, Protocol, Transport};
use ropewalk_grammar::http1::{Name, RequestHead};
use ropewalk_grammar::websocket::{ClientHandshake, DeflateAgreed, Encoder, Role, ServerHandshake};

use super::opening::Opening;
use super::options::WebSocketOptions;
use super::origins::Origins;
use super::protocol::WebSocketProtocol;
use super::receiver::{Agreement, WebSocketReceiver, decoder, deflating};
use super::refusal::Refusal;
use super::terms::Terms;
use super::upgrading::Upgrading;
use crate::cors::Cors;
use crate::headers::Headers;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;

/// Serves WebSockets: by itself, as a [`Factory`] for any endpoint; in a [`Site`](crate::Site), as a [`Resource`]; or behind
/// any other server, by [`upgrade`](Self::upgrade). Clones are the same server.
///
/// The closure makes the protocol of each connection, from what was asked for. As a resource it answers for all paths below its own as
/// well; a route that ends there has it [`respond`](Self::respond).
///
/// ```
/// use ropewalk_web::websocket::{Origins, Refusal, WebSocket, WebSocketProtocol, WebSocketServer};
/// use ropewalk_web::{Router, Site};
///
/// struct Room(u32);
/// impl WebSocketProtocol for Room {
///     fn opened(&mut self, socket: &WebSocket) {
///         socket.send_text(format!("welcome to room {}", self.0));
///     }
/// }
///
/// let rooms = WebSocketServer::fallible(|opening| match opening.param("room")? {
///     room @ 1..100 => Ok(Room(room)),
///     _ => Err(Refusal::new(404, "there is no such room")),
/// });
/// let rooms = rooms.with_origins(Origins::SameAnd(vec!["https://friend.example".into()]));
/// let site = Site::new(Router::new().mount("/rooms/{room}", rooms.with_subprotocols(["chat"])));
/// ```
pub struct WebSocketServer<P: WebSocketProtocol>(Rc<Settings<P>>);

struct Settings<P> {
    make: RefCell<Make<P>>,
    options: Rc<WebSocketOptions>,
    origins: Origins,
    subprotocols: Vec<String>,
}

type Make<P> = Box<dyn FnMut(&Opening<'_>) -> Result<P, Refusal>>;

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
    ///
    /// # Panics
    ///
    /// When one is no origin: a scheme, a host and perhaps a port, with no slash behind.
    #[must_use]
    pub fn with_origins(self, origins: Origins) -> Self {
        if let Origins::SameAnd(others) = &origins {
            for origin in others {
                assert!(
                    Cors::is_origin(origin),
                    "WebSocketServer::with_origins({origin:?}): an origin is like https://example.com or http://localhost:3000, \
                     without a path; for all there is Origins::DangerousAny"
                );
            }
        }
        self.change(|settings| settings.origins = origins)
    }

    /// Speaks these subprotocols, its favourite first: of those that a client offers, the first of ours is chosen, or none. The
    /// closure may [choose](Opening::choose_subprotocol) otherwise.
    ///
    /// # Panics
    ///
    /// When one is no token, so that no client can offer it.
    #[must_use]
    pub fn with_subprotocols<T: Into<String>>(
        self,
        subprotocols: impl IntoIterator<Item = T>,
    ) -> Self {
        let subprotocols: Vec<String> = subprotocols.into_iter().map(Into::into).collect();
        for name in &subprotocols {
            if let Err(error) = ClientHandshake::new([0; 16]).with_protocol(name) {
                panic!("WebSocketServer::with_subprotocols: {error}");
            }
        }
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
        self.open(head, None)
    }

    /// Answers a request that came to a site, in a handler of your own: 101 or a refusal.
    ///
    /// For what must be found out first, and takes its time: who asks, or whether there is such a room.
    ///
    /// ```
    /// use ropewalk_web::websocket::{WebSocket, WebSocketProtocol, WebSocketServer};
    /// use ropewalk_web::{Failure, Request, Response, Router, StatusCode};
    ///
    /// struct Guest(String);
    /// impl WebSocketProtocol for Guest {
    ///     fn opened(&mut self, socket: &WebSocket) {
    ///         socket.send_text(format!("welcome to {}", self.0));
    ///     }
    /// }
    ///
    /// async fn room(request: Request) -> Result<Response, Failure> {
    ///     let room: String = request.param("room")?;
    ///     let title = look_up(room).await?;
    ///     Ok(WebSocketServer::new(move |_| Guest(title.clone())).respond(&request))
    /// }
    ///
    /// # async fn look_up(room: String) -> Result<String, Failure> { Ok(room) }
    /// let router = Router::new().get("/rooms/{room}", room);
    /// ```
    pub fn respond(&self, request: &Request) -> Response {
        match self.open(&request.head(), Some(request)) {
            Ok(Upgrade { fields, protocol }) => {
                let mut headers = Headers::new();
                for (name, value) in fields {
                    let set = headers.set(name, value);
                    set.expect("the values of a handshake are tokens");
                }
                Response::switch(headers, protocol)
            }
            Err(refusal) => refusal.into(),
        }
    }

    fn open<'a>(
        &self,
        head: &RequestHead<'a>,
        request: Option<&'a Request>,
    ) -> Result<Upgrade<P>, Refusal> {
        let settings = &*self.0;
        let handshake = ServerHandshake::read(head)?;
        if !settings.origins.allow(&handshake) {
            return Err(Refusal::new(403, "pages of this origin may not connect"));
        }
        let ours = settings.subprotocols.iter();
        let subprotocol = ours
            .filter_map(|ours| handshake.protocols().find(|theirs| theirs == ours))
            .next();
        let opening = Opening::new(handshake, request, subprotocol);
        let protocol = (settings.make.borrow_mut())(&opening)?;
        let deflate = settings.options.deflate.as_ref();
        let deflate = deflate.and_then(|deflate| deflate.agree(handshake.extensions()));
        let subprotocol = opening.subprotocol();
        let mut extensions = opening.into_extensions();
        let terms = Terms::of(subprotocol.map(str::to_owned), &extensions);
        extensions.extend(deflate.map(|agreed| agreed.answer()));
        let mut fields = handshake.accept(subprotocol);
        if !extensions.is_empty() {
            fields.push((Name::SecWebsocketExtensions, extensions.join(", ")));
        }
        let protocol = self.receiver(protocol, terms, deflate);
        Ok(Upgrade { fields, protocol })
    }

    fn receiver(
        &self,
        protocol: P,
        terms: Option<Box<Terms>>,
        deflate: Option<DeflateAgreed>,
    ) -> WebSocketReceiver<P> {
        let options = &self.0.options;
        let agreement = Agreement {
            options: Rc::clone(options),
            terms,
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
        self.respond(request).into()
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
