//! WebSockets, asked for.

use std::fmt;
use std::rc::Rc;

use http::HeaderValue;
use ropewalk_core::{Deferred, Failure};
use ropewalk_grammar::http1::Name;
use ropewalk_grammar::websocket::{ClientHandshake, ExtensionError, NotAToken};
use url::Url;

use super::asking::ask;
use super::conversation::{Conversation, Talk};
use super::options::WebSocketOptions;
use super::protocol::WebSocketProtocol;
use super::service::WebSocketService;
use super::socket::WebSocket;
use crate::client::{
    Agent, AgentError, AgentProblem, AsAgent, ClientRequest, IntoUrl, Redirects, basic, secret,
    without_password,
};
use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::headers::Headers;

/// Connects to `url`, which is `ws://…` or `wss://…`; fires with the handle once the WebSocket is open.
///
/// See [`WebSocketClient`] for headers, subprotocols, compression, redirects and reconnecting.
pub fn connect(
    agent: &impl AsAgent,
    url: impl IntoUrl,
    protocol: impl WebSocketProtocol,
) -> Deferred<WebSocket> {
    match WebSocketClient::new(url) {
        Ok(client) => client.connect(agent, protocol),
        Err(error) => Deferred::fail(agent.as_agent().reactor(), Failure::new(error)),
    }
}

/// How to ask for a WebSocket: once, or again whenever it is lost.
///
/// It is an [`Agent`] that asks: what it knows of TLS, proxies, cookies, endpoints and limits is the WebSocket's, too. A reactor
/// in its place stands for an agent with nothing changed.
///
/// ```
/// use ropewalk_core::{Failure, Handle};
/// use ropewalk_web::websocket::{Conversation, WebSocketClient};
/// use ropewalk_web::{Agent, CookieJar, Proxies};
///
/// async fn listen(reactor: Handle) -> Result<(), Failure> {
///     let agent = Agent::new(&reactor).with_cookies(CookieJar::new()).with_proxies(Proxies::from_environment()?);
///     let client = WebSocketClient::new("ws://localhost:8080/prices")?
///         .with_bearer_auth("secret")?
///         .with_subprotocol("prices.v1")?;
///     let opened = client.connect(&agent, Conversation::new(|mut socket| async move {
///         while let Some(message) = socket.recv().await {
///             println!("{message:?}");
///         }
///     }));
///     println!("the server speaks {:?}", opened.await?.subprotocol());
///     Ok(())
/// }
/// ```
///
/// An answer other than 101 is an error that has its status, headers and body
/// ([`WebSocketConnectError::Refused`](super::WebSocketConnectError::Refused)); a redirect too, unless it is
/// [followed](Self::with_redirects).
#[derive(Clone)]
pub struct WebSocketClient {
    url: Url,
    pub(super) options: Rc<WebSocketOptions>,
    /// What is offered.
    offers: ClientHandshake,
    headers: Headers,
    redirects: Redirects,
}

/// What the handshake makes, and nobody else.
const OF_HANDSHAKE: [Name; 7] = [
    Name::Connection,
    Name::SecWebsocketAccept,
    Name::SecWebsocketExtensions,
    Name::SecWebsocketKey,
    Name::SecWebsocketProtocol,
    Name::SecWebsocketVersion,
    Name::Upgrade,
];

impl WebSocketClient {
    /// A client for `ws://…` or `wss://…`. A name and a password in it become basic authentication.
    ///
    /// # Errors
    ///
    /// The text is no such URL, or has a fragment (RFC 6455 3).
    pub fn new(url: impl IntoUrl) -> Result<Self, AgentError> {
        let url = url
            .into_url()
            .map_err(|problem| AgentError::new("", problem))?;
        if url.fragment().is_some() {
            let text = without_password(url.as_str()).replacen("http", "ws", 1);
            let why = "a WebSocket has no fragment; leave out what begins with #".to_owned();
            return Err(AgentError::new("", AgentProblem::Url { text, why }));
        }
        Ok(Self {
            url,
            options: Rc::default(),
            offers: ClientHandshake::new([0; 16]),
            headers: Headers::new(),
            redirects: Redirects::none(),
        })
    }

    /// With other limits and habits.
    #[must_use]
    pub fn with_options(mut self, options: WebSocketOptions) -> Self {
        self.options = Rc::new(options);
        self
    }

    /// Follows redirects, none of which leads from TLS to none. Credentials do not go along to another origin (CL-01).
    #[must_use]
    pub fn with_redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects.keeping_tls();
        self
    }

    /// Offers a subprotocol, after those offered before.
    ///
    /// # Errors
    ///
    /// It is not a token (WS-05).
    pub fn with_subprotocol(mut self, subprotocol: &str) -> Result<Self, NotAToken> {
        self.offers = self.offers.with_protocol(subprotocol)?;
        Ok(self)
    }

    /// Offers an extension, `x-trace; level=2`, after those offered before; whether the server agreed tells
    /// [`WebSocket::extensions`]. What it does to messages your protocol does, before it sends them and after they came.
    ///
    /// # Errors
    ///
    /// It is none (WS-05), it is offered already, or it is permessage-deflate, which is a matter of the
    /// [options](WebSocketOptions::deflate).
    pub fn with_extension(mut self, offer: &str) -> Result<Self, ExtensionError> {
        self.offers = self.offers.with_extension(offer)?;
        Ok(self)
    }

    /// Sends a header with the request: credentials, cookies, an origin. Another of its name stays beside it.
    ///
    /// # Errors
    ///
    /// It could be read as more than one header (WS-05), or it is one of those that make the handshake.
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        let name = name.try_into().map_err(Into::into)?;
        if name
            .known()
            .is_some_and(|name| OF_HANDSHAKE.contains(&name))
        {
            return Err(HeaderError::of_handshake(name.as_str()));
        }
        self.headers.append(name, value)?;
        Ok(self)
    }

    /// With a name and a password (RFC 7617).
    #[must_use]
    pub fn with_basic_auth(mut self, user: &str, password: &str) -> Self {
        let value = basic(user.as_bytes(), password.as_bytes());
        self.headers.replace(Name::Authorization.into(), value);
        self
    }

    /// With a token (RFC 6750).
    ///
    /// # Errors
    ///
    /// It has a control character.
    pub fn with_bearer_auth(mut self, token: &str) -> Result<Self, HeaderError> {
        let value = secret(&format!("Bearer {token}")).ok_or(HeaderError::value())?;
        self.headers.replace(Name::Authorization.into(), value);
        Ok(self)
    }

    /// Connects once; fires with the handle once the WebSocket is open, after [`opened`](WebSocketProtocol::opened). What
    /// fails is a [`WebSocketConnectError`](super::WebSocketConnectError).
    #[track_caller]
    pub fn connect(
        &self,
        agent: &impl AsAgent,
        protocol: impl WebSocketProtocol,
    ) -> Deferred<WebSocket> {
        let (client, agent) = (self.clone(), agent.as_agent());
        let handle = agent.reactor().clone();
        handle.spawn(async move {
            let opened = ask(&client, &agent, protocol, |_| {}).await;
            opened.map_err(Failure::new)
        })
    }

    /// Connects once, for a function that awaits messages; what fails is a
    /// [`WebSocketConnectError`](super::WebSocketConnectError).
    ///
    /// ```
    /// use ropewalk_core::{Failure, Handle};
    /// use ropewalk_web::websocket::WebSocketClient;
    ///
    /// async fn ask(reactor: Handle) -> Result<(), Failure> {
    ///     let mut socket = WebSocketClient::new("wss://prices.example/")?.talk(&reactor).await?;
    ///     socket.send_text("tea");
    ///     while let Some(message) = socket.recv().await {
    ///         println!("{message:?}");
    ///     }
    ///     println!("closed with {:?}", socket.close_code());
    ///     Ok(())
    /// }
    /// ```
    #[track_caller]
    pub fn talk(&self, agent: &impl AsAgent) -> Deferred<Talk> {
        let (client, agent) = (self.clone(), agent.as_agent());
        let handle = agent.reactor().clone();
        handle.spawn(async move {
            let (conversation, talk) = Conversation::elsewhere();
            let opened = ask(&client, &agent, conversation, |_| {}).await;
            opened.map(talk).map_err(Failure::new)
        })
    }

    /// A service that connects when it is started, and again after a while whenever the WebSocket is lost or refused.
    #[must_use]
    pub fn service<P: WebSocketProtocol>(
        &self,
        agent: &impl AsAgent,
        make: impl FnMut() -> P + 'static,
    ) -> WebSocketService {
        WebSocketService::new(self.clone(), agent.as_agent(), make)
    }

    /// The request; `prepare` makes what is new each time that it is sent.
    pub(super) fn request(
        &self,
        agent: &Agent,
        prepare: impl Fn(&mut Headers) + 'static,
    ) -> ClientRequest {
        let request = agent.get(&self.url).headers(&self.headers);
        let request = request.header(Name::Upgrade, "websocket");
        let request = request.first_byte(self.options.handshake_timeout);
        request.redirects(self.redirects).before_sending(prepare)
    }

    pub(super) fn handshake(&self, nonce: [u8; 16]) -> ClientHandshake {
        let handshake = self.offers.clone().with_nonce(nonce);
        match self.options.deflate {
            Some(deflate) => handshake.with_deflate(deflate),
            None => handshake,
        }
    }
}

/// Without the password of the URL and the headers: it ends up in logs.
impl fmt::Debug for WebSocketClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClient")
            .field("url", &without_password(self.url.as_str()))
            .field("redirects", &self.redirects)
            .finish_non_exhaustive()
    }
}
