//! Running a site where strangers can reach it: limits, proxies, logs, stops.
//!
//! # Limits
//!
//! All are on by default. They are fields of [`SiteLimits`](crate::web::SiteLimits), given by
//! [`Site::with_limits`](crate::web::Site::with_limits), and of the [`Limits`](crate::Limits) of the port.
//!
//! | limit | default | against |
//! | --- | --- | --- |
//! | `first_byte` | 10 s | connections that are only held |
//! | `head` | 30 s | heads that are sent byte by byte (Slowloris); 408 |
//! | `body_rate`, `body_window` | 240 B/s over 10 s | bodies that are sent byte by byte; 408 |
//! | `keep_alive` | 75 s | idle connections that hold descriptors |
//! | `write_stall` (of the port) | 60 s | clients that ask for much and read nothing |
//! | `response_rate`, `response_window` | 240 B/s over 60 s | clients that ask for much and read it byte by byte |
//! | `handshake` (of the port) | 10 s | handshakes of TLS that never end |
//! | `body_bytes` | 2 MiB | bodies that fill the memory where they are collected; 413 |
//! | `drain_bytes` | 64 KiB | bodies that nobody wants |
//! | heads | limited in bytes and fields ([`http1::Limits`](crate::grammar::http1::Limits)) | heads that fill the memory; 414, 431 |
//! | `connections` | 65 536 | connections until there are no descriptors; 503 to some, and then closed unheard |
//! | `connections_by_peer` | none | one who takes all the connections there are |
//! | `requests` | 16 384 | more work than can be done in time; 503 with `Retry-After` |
//! | `requests_by_peer` | none | one who keeps all others waiting; 503 with `Retry-After` |
//!
//! Requests that come many at once (pipelined) are answered 64 in a turn; then it is the others' turn.
//!
//! Limits by peer are yours to set: many people may share an address, and behind a proxy all do. How *often* a client may ask is
//! [`RateLimited`](crate::web::RateLimited)'s, which answers 429.
//!
//! # Behind a proxy
//!
//! The peer of each connection is the proxy then. Say which proxies are believed, and by which field, and
//! [`Request::client`](crate::web::Request::client), the limits, the log and the redirect to https are right again:
//!
//! ```
//! use ropewalk::web::{HttpsOnly, Request, Router, Site, SiteLimits, TrustedProxies};
//!
//! let pages = Router::new().get("/", |request: &Request| format!("hello {:?}\n", request.client()));
//! let mut limits = SiteLimits::default();
//! limits.requests_by_peer = Some(50);
//! let site = Site::new(HttpsOnly::new(pages))
//!     .with_limits(limits)
//!     .with_trusted_proxies(TrustedProxies::x_forwarded("10.0.0.0/8".parse()?));
//! # drop(site);
//! # Ok::<(), ropewalk::Failure>(())
//! ```
//!
//! Never believe everybody: clients write these fields, too.
//!
//! # The log
//!
//! [`Site::with_access_log`](crate::web::Site::with_access_log) gives a line per request that is over, in the format that every tool reads or as JSON. A client
//! that left before its answer has the status 499. What a client sent is escaped, so that it can neither forge lines nor command the
//! terminal that shows them. `ropewalk web --log FILE` writes it to a file, which SIGHUP opens anew, and which
//! `--access-rotate` begins anew by size or day. The limits above are its options, too: see `ropewalk web --help`.
//!
//! # Stopping
//!
//! At SIGTERM the ports close, idle connections end at once, and each request that was read is answered, with `Connection: close`. Streams of events
//! ([`EventStream`](crate::web::EventStream), [`EventTopic`](crate::web::EventTopic)) end, in order; what else may take for ever, such as a long
//! poll, is told so by [`Request::on_shutting_down`](crate::web::Request::on_shutting_down). What is not done after 8 s is told to stop ([`Grace`](crate::Grace)); a second signal ends it now.
