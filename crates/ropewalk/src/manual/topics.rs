//! Topics: one message to many WebSockets, on all cores and machines.
//!
//! A [`Topic`](crate::web::websocket::Topic) is a set of WebSockets that get the same messages: a room, a ticker, the state of a game.
//!
//! ```
//! use ropewalk::testing::StringTransport;
//! use ropewalk::web::websocket::{Topic, WebSocket, WebSocketProtocol, WebSocketServer};
//!
//! struct Member(Topic);
//!
//! impl WebSocketProtocol for Member {
//!     fn opened(&mut self, socket: &WebSocket) {
//!         self.0.subscribe(socket);
//!         self.0.send("somebody came");
//!     }
//!     fn text_received(&mut self, socket: &WebSocket, text: &str) {
//!         self.0.send_to_others(socket, text);
//!     }
//! }
//!
//! let room = Topic::new();
//! let server = room.clone();
//! let mut browser = StringTransport::builder().factory(WebSocketServer::new(move |_| Member(server.clone())));
//! browser.receive("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
//! assert!(browser.take_sent().ends_with(b"\x81\x0dsomebody came"));
//! assert_eq!(room.len(), 1);
//! ```
//!
//! # What a broadcast costs
//!
//! A message is framed once, and compressed once for each size of window that receivers agreed to; one that fits into all windows is
//! compressed once. Large ones are one piece of memory in all queues. Who closes leaves by itself.
//!
//! # Receivers that read slowly
//!
//! | policy ([`SlowPeer`](crate::web::websocket::SlowPeer)) | what waits | for |
//! | --- | --- | --- |
//! | `Wait` | all, up to 1024 messages or 4 MiB; then the receiver is closed with 1013 | chats |
//! | `DropOldest(n)` | the newest | what is soon out of date |
//! | `Coalesce(n)` | the newest of each key, sent with `send_keyed` | the state of many things |
//! | `Disconnect` | nothing: the receiver is closed with 1013 | what makes no sense with gaps |
//!
//! It is that of the connection ([`WebSocketOptions::slow_peer`](crate::web::websocket::WebSocketOptions::slow_peer)), or, for the
//! messages of one topic, that of the [topic](crate::web::websocket::Topic::with_slow_peer). Other receivers notice nothing.
//!
//! # On all cores
//!
//! [`Topics`](crate::web::websocket::Topics) have names, and the topic of a name is the same on all [cores](super::cores). What
//! one core publishes crosses the mailboxes framed and compressed, without a lock, in the order of each publisher:
//!
//! ```no_run
//! use ropewalk::cores::{Core, Cores, Sharing};
//! use ropewalk::web::websocket::{Published, Topics, WebSocketServer};
//! # use ropewalk::web::websocket::{Topic, WebSocketProtocol};
//! # struct Member(Topic);
//! # impl WebSocketProtocol for Member {}
//!
//! fn main() -> Result<(), ropewalk::Failure> {
//!     Cores::new(0).catching_signals().run(|reactor, core: &Core<Published>| {
//!         let topics = Topics::on_core(core);
//!         let room = topics.topic("hall")?;
//!         core.on_message(move |_, _, published| topics.receive(&published));
//!         let server = WebSocketServer::new(move |_| Member(room.clone()));
//!         core.listen(reactor, "tcp:127.0.0.1:8080", Sharing::Hybrid, server)?;
//!         Ok(())
//!     })
//! }
//! ```
//!
//! A mailbox that is full takes no more. What a core misses so it is told, as [`Gap::Missed`](crate::web::websocket::Gap).
//!
//! # On all machines
//!
//! A [`Backplane`](crate::web::backplane::Backplane) carries messages between machines. Those of NATS and Redis come with the features `nats`
//! and `redis`, and are named by a string:
//!
//! ```no_run
//! # fn start(core: &ropewalk::cores::Core<ropewalk::web::websocket::Published>) -> Result<(), ropewalk::Failure> {
//! use ropewalk::web::backplane::backplane;
//! use ropewalk::web::websocket::Topics;
//!
//! let topics = Topics::on_core(core).with_backplane(backplane("nats:tcp:10.0.0.7:4222")?);
//! # Ok(())
//! # }
//! ```
//!
//! | string | server |
//! | --- | --- |
//! | `nats:tcp:HOST:PORT`, `nats:user=NAME:password=TEXT:tls:HOST:PORT` | NATS |
//! | `redis:tcp:HOST:PORT`, `redis:password=TEXT:tls:HOST:PORT`, `redis:unix:PATH` | Redis 6 or newer, Valkey |
//!
//! Each core has a connection of its own, which comes back by itself, at growing intervals. What this program publishes does not come
//! back to it. What other programs publish (`redis-cli publish hall hello`) comes as well.
//!
//! A message arrives at most once, and those of one publisher in order. While the server is away, what others publish is missed, and what
//! is published here waits within limits. Topics are told:
//!
//! ```
//! use ropewalk::testing::Clock;
//! use ropewalk::web::backplane::InProcess;
//! use ropewalk::web::websocket::{Gap, Topics};
//!
//! let mut clock = Clock::new();
//! let topics = Topics::new(&*clock).with_backplane(InProcess::new());
//! let room = topics.topic("hall")?;
//! let is_behind = std::rc::Rc::new(std::cell::Cell::new(false));
//! let behind = is_behind.clone();
//! room.on_gap(move |_room, gap| {
//!     // From now on all comes: what was missed is in the database, or wherever messages are kept.
//!     behind.set(matches!(gap, Gap::Back | Gap::Missed(_)));
//! });
//! clock.settle();
//! assert!(is_behind.get(), "a topic that is new has missed what was before");
//! # Ok::<(), ropewalk::web::websocket::TopicNameError>(())
//! ```
