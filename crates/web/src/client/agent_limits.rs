//! What bounds the requests of an agent, on by default.

use std::time::Duration;

/// Limits of an [`Agent`](crate::Agent), beside those of every connection ([`Limits`](ropewalk_core::Limits)).
///
/// Times are the driver's. A single request may have others ([`ClientRequest::limits`](crate::ClientRequest::limits)); those of
/// connections and pools are then not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentLimits {
    /// How long connecting may take, the look-up of the name included: 30 s.
    #[doc(alias = "connectTimeout")]
    pub connect: Duration,
    /// How long TLS may take to shake hands, and a proxy to open a tunnel: 10 s.
    pub handshake: Duration,
    /// How long the server may take to answer once the request is sent: 60 s.
    pub first_byte: Duration,
    /// How long a body may pause while somebody waits for it: 60 s.
    pub body_idle: Duration,
    /// How long all of it may take, from the call to the last byte of the body, redirects and waiting for a connection included: no limit.
    pub total: Option<Duration>,
    /// How many connections to one host may be open at the same time, those in use included: 100. Further requests wait in line. So ten
    /// thousand requests to a slow server take a hundred descriptors.
    pub connections_per_host: usize,
    /// How many connections to one host are kept though nobody uses them: 2 (R168). A program that asks one server much may want as
    /// many as it has requests at the same time.
    #[doc(alias = "maxPersistentPerHost")]
    pub idle_per_host: usize,
    /// How long such a connection is kept: 240 s (R168), and less if the server says so in `Keep-Alive`.
    #[doc(alias = "cachedConnectionTimeout")]
    pub idle: Duration,
    /// How large a body may be that is collected whole, decompressed: 16 MiB. Against servers that never end. Bodies that are read in pieces have
    /// no limit.
    pub body_bytes: u64,
    /// How much may come out of one compressed body: 256 MiB. Against a megabyte that stands for a gigabyte.
    pub decompressed_bytes: usize,
    /// How much of a body that nobody wants is read and dropped, so that the connection can be used again, if it comes within 2 s: 64 KiB.
    /// With 0 the connection ends at once.
    pub drain_bytes: u64,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            body_idle: Duration::from_secs(60),
            total: None,
            connections_per_host: 100,
            idle_per_host: 2,
            idle: Duration::from_secs(240),
            body_bytes: 16 * 1024 * 1024,
            decompressed_bytes: 256 * 1024 * 1024,
            drain_bytes: 64 * 1024,
        }
    }
}
