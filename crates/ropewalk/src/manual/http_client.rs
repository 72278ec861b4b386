//! Asking servers: the HTTP client.
//!
//! An [`Agent`](crate::web::Agent) sends requests and keeps connections. A request is awaited, or sent and waited for as a
//! [`Deferred`](crate::Deferred):
//!
//! ```
//! use ropewalk::web::{Agent, AgentError};
//!
//! async fn cups(agent: &Agent) -> Result<u32, AgentError> {
//!     let response = agent.get("http://tea.example/cups").await?;
//!     response.error_for_status()?.json().await
//! }
//! ```
//!
//! The response is there when its head is; its body is read from the socket as fast as it is asked for, whole with `bytes`, `text` and `json`
//! (within a limit), or piece by piece with [`body`](crate::web::ClientResponse::body). A body in the other direction is bytes, a form, JSON, or a stream
//! that is pulled at the speed of the server.
//!
//! # What is on by default
//!
//! | default | why | other values |
//! | --- | --- | --- |
//! | 100 connections to one host, others wait in line | ten thousand requests take a hundred descriptors | [`AgentLimits`](crate::web::AgentLimits) |
//! | 2 of them kept when nobody uses them, for 240 s | as in Twisted; raise it for one server that is asked much | `idle_per_host`, `idle` |
//! | 30 s to connect, 10 s for TLS, 60 s for the answer to begin, 60 s between two pieces of the body | nothing waits for ever | `connect`, `handshake`, `first_byte`, `body_idle` |
//! | no limit on the time of all of it | large downloads are slow | `total`, or `.timeout(…)` on a request |
//! | 16 MiB for bodies that are collected, 256 MiB out of one compressed body | servers that never end, and bombs | `body_bytes`, `decompressed_bytes` |
//! | redirects of GET and HEAD, 20 at most; credentials stay with their origin | as in Twisted | [`Redirects`](crate::web::Redirects) |
//! | gzip and deflate | | `without_decompression` |
//! | no cookies | | [`CookieJar`](crate::web::CookieJar) |
//! | no proxy, whatever the environment says | | [`Proxies`](crate::web::Proxies), `Proxies::from_environment()` |
//!
//! # What is promised
//!
//! - One safe retry, and no other: a request whose method is idempotent and that has no body is sent once more, over a new connection, when one that
//!   was used before ended without a byte of an answer. A POST is never sent twice.
//! - A connection is used again only when its response was read to the end, and nothing stood behind it. Idle ones are watched: one that the server
//!   closes is not used again.
//! - What cannot be said is refused before anything is sent: blanks and control characters in URLs, methods and headers, a body that is not as
//!   long as it says.
//! - Bad responses are errors: the parser is that of the server, as strict.
//! - A body that ended because the connection did is told as such ([`BodyEnd`](crate::web::BodyEnd)): perhaps there was more.
//! - A request that is dropped, or whose Deferred is cancelled, ends its connection.
//!
//! # For those who know `treq` and Twisted's agents
//!
//! | there | here |
//! | --- | --- |
//! | `Agent(reactor, pool=HTTPConnectionPool(reactor))` | `Agent::new(&handle)` |
//! | `RedirectAgent`, `BrowserLikeRedirectAgent` | `with_redirects(Redirects::strict())`, the default, and `browser_like()` |
//! | `CookieAgent`, `ContentDecoderAgent`, `ProxyAgent` | `with_cookies`, the default, `with_proxies` (and CONNECT for https) |
//! | `readBody(response)`, `treq.json_content` | `response.bytes().await`, `response.json().await` |
//! | `response.deliverBody(protocol)` | `response.body()`, a stream |
//! | `IBodyProducer` | anything that is an `http_body::Body`, or `Body::stream` |
//! | `PotentialDataLoss` | `BodyEnd::PotentialLoss` |
//! | `pool.closeCachedConnections()` | `close_idle_connections()`, or the agent is dropped |
