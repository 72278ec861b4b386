//! Who does the cryptography: a value that is passed on, never the default of the process.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::ProducesTickets;

#[cfg(feature = "aws-lc-rs")]
use crate::key_schedule;

/// A provider of cryptography for rustls, chosen when a configuration is made.
///
/// Which ones there are is decided by this crate's features `aws-lc-rs` (the default) and `ring`; a program in whose
/// dependencies both are works all the same.
#[derive(Clone)]
pub struct Provider {
    pub(crate) crypto: Arc<CryptoProvider>,
    ticketer: fn() -> Result<Arc<dyn ProducesTickets>, rustls::Error>,
    name: &'static str,
}

impl Provider {
    /// AWS-LC: the fastest, and with the hybrid post-quantum key exchange X25519MLKEM768, which is preferred.
    #[cfg(feature = "aws-lc-rs")]
    #[must_use]
    pub fn aws_lc_rs() -> Self {
        use rustls::{NamedGroup, crypto::aws_lc_rs};
        let mut crypto = aws_lc_rs::default_provider();
        // A stable sort: what is not hybrid keeps its order.
        let is_classical = |name: NamedGroup| name != NamedGroup::X25519MLKEM768;
        crypto
            .kx_groups
            .sort_by_key(|group| is_classical(group.name()));
        key_schedule::put_into(&mut crypto);
        Self::new("aws-lc-rs", crypto, aws_lc_rs::Ticketer::new)
    }

    /// Ring: smaller, without post-quantum key exchange.
    #[cfg(feature = "ring")]
    #[must_use]
    pub fn ring() -> Self {
        use rustls::crypto::ring;
        Self::new("ring", ring::default_provider(), ring::Ticketer::new)
    }

    pub(crate) fn new(
        name: &'static str,
        crypto: CryptoProvider,
        ticketer: fn() -> Result<Arc<dyn ProducesTickets>, rustls::Error>,
    ) -> Self {
        Self {
            crypto: Arc::new(crypto),
            ticketer,
            name,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The names of the key exchanges, the preferred one first.
    #[must_use]
    pub fn key_exchanges(&self) -> Vec<String> {
        let groups = self.crypto.kx_groups.iter();
        groups.map(|group| format!("{:?}", group.name())).collect()
    }

    /// A key of its own for tickets, which changes by itself every few hours.
    pub(crate) fn ticketer(&self) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        (self.ticketer)()
    }
}

impl Default for Provider {
    #[cfg(feature = "aws-lc-rs")]
    fn default() -> Self {
        Self::aws_lc_rs()
    }

    #[cfg(not(feature = "aws-lc-rs"))]
    fn default() -> Self {
        Self::ring()
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}
