//! Puts a protocol of yours around each protocol of a factory.
//!
//! For: watching and changing what happens to protocols you did not write. Not for: their bytes on the way, which are a
//! [`Layer`](ropewalk_core::Layer)'s.

use ropewalk_core::{Factory, Protocol, Transport};

/// Wraps each protocol that a factory builds (R124).
///
/// The wrapper overrides [`Protocol::wrapped`] and what it wants to see; every other callback, the inner protocol's
/// producers, its lent closures and the factory's own callbacks pass through by themselves.
///
/// ```
/// use ropewalk_core::{Protocol, Reason, Transport};
/// use ropewalk_protocols::WrappingFactory;
/// use ropewalk_testing::StringTransport;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// /// Answers nothing that begins with a question mark.
/// struct Shy(Box<dyn Protocol>);
/// impl Protocol for Shy {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         if !data.starts_with(b"?") {
///             self.0.data_received(transport, data);
///         }
///     }
///     fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
///         Some(&mut *self.0)
///     }
/// }
///
/// let mut peer = StringTransport::builder().factory(WrappingFactory::new(|| Echo, Shy));
/// peer.receive("?");
/// peer.receive("hello");
/// assert_eq!(peer.take_sent(), b"hello");
/// ```
#[doc(alias = "ProtocolWrapper")]
#[derive(Debug)]
pub struct WrappingFactory<F, W> {
    factory: F,
    wrap: W,
}

impl<F, W, P> WrappingFactory<F, W>
where
    F: Factory,
    W: FnMut(Box<dyn Protocol>) -> P + 'static,
    P: Protocol,
{
    /// Wraps each protocol by calling `wrap`.
    #[must_use]
    pub fn new(factory: F, wrap: W) -> Self {
        Self { factory, wrap }
    }
}

impl<F, W, P> Factory for WrappingFactory<F, W>
where
    F: Factory,
    W: FnMut(Box<dyn Protocol>) -> P + 'static,
    P: Protocol,
{
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        let protocol = self.factory.build_protocol(transport)?;
        Some(Box::new((self.wrap)(protocol)))
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }
}
