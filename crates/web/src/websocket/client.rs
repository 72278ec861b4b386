//! WebSockets, asked for.

use std::rc::Rc;

use http::HeaderValue;
use ropewalk_core::endpoint::EndpointError;
use ropewalk_core::{ClientService, Deferred, Factory, Handle, Protocol, Transport};
use ropewalk_grammar::http1::Name;
use ropewalk_grammar::websocket::{ClientHandshake, NotAToken};

use super::asking::Asking;
use super::options::WebSocketOptions;
use super::protocol::WebSocketProtocol;
use super::socket::WebSocket;
use super::url::{WebSocketUrl, WebSocketUrlError};
use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::headers::Headers;

/// Connects to `url`; fires with the handle once the WebSocket is open.
///
/// See [`WebSocketClient`] for headers, subprotocols, compression and reconnecting.
pub fn connect(
    reactor: &impl AsRef<Handle>,
    url: &str,
    protocol: impl WebSocketProtocol,
) -> Deferred<WebSocket> {
    match WebSocketClient::new(url) {
        Ok(client) => client.connect(reactor, protocol),
        Err(error) => Deferred::fail(reactor.as_ref(), ropewalk_core::Failure::new(error)),
    }
}

/// How to ask for a WebSocket: once, or again whenever it is lost.
///
/// ```
/// use ropewalk_core::{Failure, Handle};
/// use ropewalk_web::websocket::{Conversation, WebSocketClient};
///
/// async fn listen(reactor: Handle) -> Result<(), Failure> {
///     let client = WebSocketClient::new("ws://localhost:8080/prices")?
///         .with_header("Authorization", "Bearer …".replace('…', "t"))?
///         .with_subprotocol("prices.v1")?;
///     let opened = client.connect(&reactor, Conversation::new(|mut socket| async move {
///         while let Some(message) = socket.recv().await {
///             println!("{message:?}");
///         }
///     }));
///     println!("the server speaks {:?}", opened.await?.subprotocol());
///     Ok(())
/// }
/// ```
///
/// An answer other than 101, a redirect too, is an error that has its status, headers and body
/// ([`WebSocketConnectError::Refused`](super::WebSocketConnectError::Refused)). Redirects are not followed.
#[derive(Clone, Debug)]
pub struct WebSocketClient {
    request: Request,
    /// Where to connect instead of where the address says.
    endpoint: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) url: WebSocketUrl,
    pub(super) options: Rc<WebSocketOptions>,
    subprotocols: Vec<String>,
    headers: Headers,
}

impl WebSocketClient {
    /// A client for `ws://…` or `wss://…`.
    ///
    /// # Errors
    ///
    /// The text is no such address.
    pub fn new(url: &str) -> Result<Self, WebSocketUrlError> {
        let url: WebSocketUrl = url.parse()?;
        Ok(Self {
            endpoint: url.endpoint(),
            request: Request {
                url,
                options: Rc::default(),
                subprotocols: Vec::new(),
                headers: Headers::new(),
            },
        })
    }

    /// With other limits and habits.
    #[must_use]
    pub fn with_options(mut self, options: WebSocketOptions) -> Self {
        self.request.options = Rc::new(options);
        self
    }

    /// Connects to this endpoint instead of the host and port of the address: a UNIX socket, a proxy, TLS with options.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// Offers a subprotocol, after those offered before.
    ///
    /// # Errors
    ///
    /// It is not a token (WS-05).
    pub fn with_subprotocol(mut self, subprotocol: &str) -> Result<Self, NotAToken> {
        ClientHandshake::new([0; 16]).with_protocol(subprotocol)?;
        self.request.subprotocols.push(subprotocol.to_owned());
        Ok(self)
    }

    /// Sends a header with the request: credentials, cookies, an origin.
    ///
    /// # Errors
    ///
    /// It could be read as more than one header (WS-05), or it is one of those that make the handshake.
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        self.request.headers.append(name, value)?;
        Ok(self)
    }

    /// Connects once; fires with the handle once the WebSocket is open, after [`opened`](WebSocketProtocol::opened).
    pub fn connect(
        &self,
        reactor: &impl AsRef<Handle>,
        protocol: impl WebSocketProtocol,
    ) -> Deferred<WebSocket> {
        let reactor = reactor.as_ref();
        let (opened, wanted) = Deferred::new(reactor);
        let wanted = Rc::new(wanted);
        let asking = Asking::new(
            &Rc::new(self.request.clone()),
            protocol,
            Some(Rc::clone(&wanted)),
        );
        let connecting = reactor.connect_protocol(self.endpoint.as_str(), asking);
        connecting.on_result(move |connected| {
            if let Err(failure) = connected {
                let _told_already = wanted.fail(failure);
            }
        });
        opened
    }

    /// A service that connects when it is started, and again after a while whenever the WebSocket is lost or refused.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood.
    pub fn service<P: WebSocketProtocol>(
        &self,
        reactor: &impl AsRef<Handle>,
        make: impl FnMut() -> P + 'static,
    ) -> Result<ClientService, EndpointError> {
        let request = Rc::new(self.request.clone());
        let factory = Again { request, make };
        ClientService::new(reactor, self.endpoint.as_str(), factory)
    }
}

impl Request {
    pub(super) fn handshake(&self, nonce: [u8; 16]) -> ClientHandshake {
        let mut handshake = ClientHandshake::new(nonce);
        if let Some(deflate) = self.options.deflate {
            handshake = handshake.with_deflate(deflate);
        }
        for subprotocol in &self.subprotocols {
            let offered = handshake.with_protocol(subprotocol);
            handshake = offered.expect("it was checked when it was given");
        }
        handshake
    }

    pub(super) fn fields(&self, handshake: &ClientHandshake) -> Vec<(String, Vec<u8>)> {
        let host = (Name::Host.as_str().to_owned(), self.url.authority().into());
        let host = (!self.headers.contains(Name::Host)).then_some(host);
        let upgrade = handshake.fields().into_iter();
        let upgrade = upgrade.map(|(name, value)| (name.as_str().to_owned(), value.into_bytes()));
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        host.into_iter().chain(upgrade).chain(own).collect()
    }
}

/// Asks anew on each connection of a service.
struct Again<M> {
    request: Rc<Request>,
    make: M,
}

impl<P: WebSocketProtocol, M: FnMut() -> P + 'static> Factory for Again<M> {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        let protocol = (self.make)();
        Some(Box::new(Asking::new(&self.request, protocol, None)))
    }
}
