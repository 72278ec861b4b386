//! What bounds everything, on by default.
//!
//! | limit | default | the attack it stops |
//! | --- | --- | --- |
//! | unsent bytes before writers are told to pause ([`Limits::high_water_bytes`](crate::Limits)) | 64 KiB | a peer that asks and does not read |
//! | reading pauses meanwhile ([`Limits::pause_reading_when_full`](crate::Limits)) | on | the same, from a protocol that does not look |
//! | unsent bytes at which a connection is cut off ([`Limits::outgoing_bytes`](crate::Limits)) | 64 MiB | a dead reader behind a broadcast |
//! | time in which a peer must take a byte, or send one where we connected ([`Limits::write_stall`](crate::Limits)) | 60 s | a peer that stays and never reads |
//! | time for the layers' handshakes ([`Limits::handshake`](crate::Limits)) | 10 s | handshakes that never end |
//! | time to connect, look-up included ([`Limits::connect`](crate::Limits)) | 30 s | a black hole |
//! | a line, before its delimiter | 16 384 bytes | a line that never ends |
//! | a length-prefixed string or a netstring | 99 999 bytes | memory by a declared length |
//! | a callback that blocks all others, before it is logged ([`Watchdog`](crate::Watchdog)) | 0.1 s; 5 s while it lasts | [blocking](super::blocking) |
//! | callbacks and polls between two looks at the driver | 1 024 | tasks that wake each other for ever |
//! | connections lingering after a close | 1 024, 2 s, 16 MiB each | a peer that never closes |
//! | work in flight at a graceful stop, and everything at all ([`Grace`](crate::Grace)) | 8 s, 9 s | a stop that never ends |
//! | a datagram that is received whole, unless its port says otherwise | 8 192 bytes | memory by a long datagram |
//! | datagrams that wait to be sent; bytes of them, per port | 4 096; 1 MiB | questions whose answers nobody takes |
//! | datagrams of one port between two looks at the others | 128 | a flood |
//! | what `process_output` takes from a child ([`OutputOptions`](crate::process::OutputOptions)) | 16 MiB | a child that writes for ever |
//! | a line that a watched program writes to the log | 16 384 bytes | a line that never ends |
//! | the wait before a watched program is started again ([`MonitorOptions`](crate::process::MonitorOptions)) | 1 s to 1 h | a program that cannot run |
//! | threads of the pool | 10 | work without end |
//! | database connections of a pool; work that waits for one | 5; 1 000 | asking faster than the database answers |
//! | the rows of one query | 64 MiB | a query without its `WHERE` |
//!
//! A server out of descriptors closes the peers that wait, backs off, logs a line per 5 s, and is back within a second.
//! A connection that is idle owns no buffer. glibc keeps up to twice the largest block that was ever freed, 32 MiB at most. What we free
//! ourselves above 2 MiB, as messages and answers, does not count there; for what your program frees,
//! `MALLOC_MMAP_THRESHOLD_=262144` in the environment has all of it given back.
//!
//! A server that has more than the high-water mark to send to a client reads nothing from it until half of that is gone; so a client
//! on a slow line that also sends may wait for long. It does not give up while bytes come: at clients, where reading goes on, they
//! count as progress for `write_stall`, too.
//! Those of the web are in [its page on production](super::web_in_production).
//! How many may connect at all, and per address, say the policies in [`protocols`](crate::protocols).
