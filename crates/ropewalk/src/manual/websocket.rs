//! WebSocket: messages both ways, for as long as both want.
//!
//! A server makes a protocol for each connection, and serves in a site, where pages and logins are, or by itself at an endpoint. A client asks by
//! an [`Agent`](crate::web::Agent). Both ends are the same from there on: a [`WebSocketProtocol`](crate::web::websocket::WebSocketProtocol) is told
//! what comes, and sends by its [`WebSocket`](crate::web::websocket::WebSocket); or a
//! [`Conversation`](crate::web::websocket::Conversation) awaits messages. Here they meet, on a network that is simulated:
//!
//! ```
//! use ropewalk::sim::SimDriver;
//! use ropewalk::web::websocket::{Conversation, Message, Topic, WebSocket};
//! use ropewalk::web::websocket::{WebSocketClient, WebSocketProtocol, WebSocketServer};
//! use ropewalk::web::{Request, Router, Site};
//! use ropewalk::{Failure, Reactor};
//!
//! struct Guest(Topic);
//!
//! impl WebSocketProtocol for Guest {
//!     fn opened(&mut self, socket: &WebSocket) {
//!         self.0.subscribe(socket);
//!     }
//!     fn text_received(&mut self, _: &WebSocket, text: &str) {
//!         self.0.send(format!("somebody says: {text}"));
//!     }
//! }
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1));
//! let room = Topic::new();
//! let door = WebSocketServer::new(move |_| Guest(room.clone()));
//! let pages = Router::new().get("/", |_: &Request| "come in").mount("/room", door);
//! reactor.listen("tcp:10.0.0.1:80", Site::new(pages))?;
//!
//! let client = WebSocketClient::new("ws://10.0.0.1/room")?;
//! reactor.run_main(async move |reactor| {
//!     let visit = Conversation::new(|mut socket| async move {
//!         socket.send_text("hello");
//!         assert_eq!(socket.recv().await, Some(Message::from("somebody says: hello")));
//!     }); // its end closes with 1000
//!     client.connect(&reactor, visit).await?.closed().await;
//!     Ok::<_, Failure>(())
//! })?;
//! # Ok::<(), Failure>(())
//! ```
//!
//! # Serving
//!
//! [`WebSocketServer`](crate::web::websocket::WebSocketServer) looks at each request ([`Opening`](crate::web::websocket::Opening): path, query,
//! cookies, credentials) and makes a protocol, or refuses with a status and headers. By itself it is a factory for any endpoint: `tcp:`, `tls:`,
//! `unix:`. As a resource it stands behind whatever else a site has: logins (`Guard`, with the feature `cred`), limits, paths with parameters:
//!
//! ```
//! use ropewalk::web::websocket::{Conversation, Refusal, WebSocketServer};
//! use ropewalk::web::Router;
//!
//! let rooms = WebSocketServer::fallible(|opening| {
//!     let room: u32 = opening.param("room")?; // what is no number is a 404
//!     if room == 0 {
//!         return Err(Refusal::new(403, "this room is private"));
//!     }
//!     Ok(Conversation::new(move |mut socket| async move {
//!         while let Some(message) = socket.recv().await {
//!             println!("in room {room}: {message:?}");
//!         }
//!         println!("left with {:?}", socket.close_code());
//!     }))
//! });
//! let router = Router::new().mount("/rooms/{room}", rooms);
//! ```
//!
//! `opening.get::<T>()` is what a `Guard` let in. A handler that must wait before it knows, for a database, answers by
//! [`respond`](crate::web::websocket::WebSocketServer::respond).
//!
//! Of subprotocols the server's favourite is chosen, or what the closure chooses; extensions of an application are agreed on there, too
//! ([`agree_to_extension`](crate::web::websocket::Opening::agree_to_extension)).
//!
//! **Pages of others may not connect** unless [`Origins`](crate::web::websocket::Origins) says so: a browser lets any page open a WebSocket to any
//! server, with that server's cookies.
//!
//! # Asking
//!
//! ```
//! use ropewalk::web::websocket::{Conversation, WebSocketClient};
//! use ropewalk::web::{Agent, CookieJar, Proxies, Redirects};
//! use ropewalk::{Failure, Handle};
//!
//! async fn watch(reactor: Handle) -> Result<(), Failure> {
//!     let agent = Agent::new(&reactor)
//!         .with_cookies(CookieJar::new())
//!         .with_proxies(Proxies::from_environment()?);
//!     let client = WebSocketClient::new("wss://prices.example/tea")?
//!         .with_bearer_auth("secret")?
//!         .with_subprotocol("prices.v1")?
//!         .with_redirects(Redirects::strict());
//!     let service = client.service(&agent, || Conversation::new(|mut socket| async move {
//!         while let Some(message) = socket.recv().await {
//!             println!("{message:?}");
//!         }
//!     }));
//!     service.start_service();
//!     service.when_connected(Some(5)).await?;
//!     Ok(())
//! }
//! ```
//!
//! - [`talk`](crate::web::websocket::WebSocketClient::talk) gives the handle to a function that awaits: `client.talk(&agent).await?`, then
//!   `recv().await`. Dropped, it closes.
//! - The agent's TLS, proxies (CONNECT, for `ws:` too), cookies, endpoint and time-outs are the WebSocket's. A reactor in its place is an agent with
//!   nothing changed; who connects often with TLS keeps an agent, which reads once what the machine trusts.
//! - **A refusal is an answer**: [`Refused`](crate::web::websocket::Refused) has its status, its headers, and 64 KiB of its body. Redirects are refusals
//!   unless they are followed; then credentials stay with their origin, and none leads from `wss:` to `ws:`.
//! - [`WebSocketService`](crate::web::websocket::WebSocketService) asks again whenever the WebSocket is lost or refused, after delays that grow until one
//!   is open. A server that says `Retry-After` with 429 or 503 is left alone as long.
//!
//! # To many at once
//!
//! A [`Topic`](crate::web::websocket::Topic) frames a message once, compresses it once, and shares it among its receivers. What becomes of one that reads
//! too slowly is a policy, of the topic or of the connection ([`SlowPeer`](crate::web::websocket::SlowPeer)): wait, drop the oldest, keep the newest
//! of each key, or close with 1013. To one alone, [`ready`](crate::web::websocket::WebSocket::ready) waits for room, and
//! [`begin`](crate::web::websocket::WebSocket::begin) sends a message in fragments, as it is made.
//!
//! # What is on by default
//!
//! | default | against | other values ([`WebSocketOptions`](crate::web::websocket::WebSocketOptions)) |
//! | --- | --- | --- |
//! | messages of 1 MiB, decompressed | a message that fills the memory; 1009 | `limit_bytes` |
//! | no compression | what costs more than it saves, and CRIME | `deflate` |
//! | compression without context take-over | 340 to 430 KiB for each connection that was used; without it an idle one has 1.4 KiB as any other | `Deflate::with_context_takeover` |
//! | a ping after 30 s of silence, the end after 20 s more | peers that are gone and do not say so | `heartbeat`, `dead_after` |
//! | 10 s for the handshake, and for the answer to a close frame | those who begin and never end, or never part | `handshake_timeout`, `close_timeout` |
//! | reading stops while the peer does not read | questions without end | [`Limits`](crate::Limits) of the port |
//! | 64 MiB wait for one peer at most; of a topic 1024 messages or 4 MiB, which all receivers share | peers that never read | `slow_peer`, [`Limits`](crate::Limits) |
//!
//! # Running one
//!
//! - Each idle connection costs memory and a descriptor: limit them ([`SiteLimits`](crate::web::SiteLimits), and the limits of the
//!   port), and raise the process's own limit of descriptors.
//! - A proxy in front must pass `Upgrade` on, and wait longer than `heartbeat` before it cuts what is silent. `TrustedProxies` tells who the client is.
//! - At SIGTERM each end is closed with 1001, unless the protocol's
//!   [`shutting_down`](crate::web::websocket::WebSocketProtocol::shutting_down) does otherwise; browsers come back by what their pages do then. A
//!   client's service stops likewise.
//! - `ropewalk websocket echo`, `chat`, `connect` and `bench` try servers and clients out, and measure them.
//!
//! # For those who know Twisted's, or Autobahn
//!
//! | there | here |
//! | --- | --- |
//! | `WebSocketResource(factory)` | `WebSocketServer::new(…)`, which is a resource and a factory |
//! | `WebSocketClientEndpoint.new(reactor, url).connect(factory)` | `WebSocketClient::new(url)?.connect(&reactor, protocol)` |
//! | `buildProtocol(request)`, `onConnect` | the closure, with an `Opening` |
//! | `negotiationFinished`, `onOpen` | `opened` |
//! | `textMessageReceived`, `bytesMessageReceived`, `onMessage` | `text_received`, `binary_received` |
//! | `pongReceived`, `connectionLost`, `onClose` | `pong_received`, `connection_lost`, with code and reason |
//! | `sendTextMessage`, `sendBytesMessage`, `sendMessage` | `send_text`, `send_binary`, `send` |
//! | `beginMessage`, `sendMessageFrame`, `endMessage` | `begin`, and its `send` and `finish` |
//! | `setProtocolOptions(autoPingInterval=…, maxMessagePayloadSize=…)` | `WebSocketOptions` |
