//! Bounds how fast the connections of a factory read and write.
//!
//! For: sharing a link, and keeping one peer from taking all of it. Not for: how many connections there are.

use ropewalk_core::{Address, Factory, Layer, Protocol, Transport};

use crate::shaping_layer::{ShapingLayer, SharedBucket};
use crate::token_bucket::TokenBucket;

/// Shapes the traffic of a factory's connections, smoothly and in both directions (R128, D15): each alone, all together,
/// or both.
///
/// Rates are in bytes per second, as they are on the wire if this is the outermost factory. Bytes flow in slots of 20 ms;
/// those who wait for a shared rate take turns. A tenth of a second's bytes pass without waiting.
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_protocols::ThrottlingFactory;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let factory = ThrottlingFactory::new(|| Echo)
///     .with_write_rate(10_000_000)
///     .with_write_rate_of_each(1_000_000)
///     .with_read_rate_of_each(100_000);
/// ```
#[derive(Debug)]
pub struct ThrottlingFactory<F> {
    factory: F,
    read: Option<SharedBucket>,
    write: Option<SharedBucket>,
    read_of_each: Option<TokenBucket>,
    write_of_each: Option<TokenBucket>,
}

impl<F: Factory> ThrottlingFactory<F> {
    /// Shapes nothing yet.
    #[must_use]
    pub fn new(factory: F) -> Self {
        Self {
            factory,
            read: None,
            write: None,
            read_of_each: None,
            write_of_each: None,
        }
    }

    /// All connections together read at most so many bytes per second.
    ///
    /// # Panics
    ///
    /// If that is none.
    #[doc(alias = "readLimit")]
    #[must_use]
    pub fn with_read_rate(mut self, bytes_per_second: u64) -> Self {
        self.read = Some(TokenBucket::new(bytes_per_second).into_shared());
        self
    }

    /// All connections together write at most so many bytes per second.
    ///
    /// # Panics
    ///
    /// If that is none.
    #[doc(alias = "writeLimit")]
    #[must_use]
    pub fn with_write_rate(mut self, bytes_per_second: u64) -> Self {
        self.write = Some(TokenBucket::new(bytes_per_second).into_shared());
        self
    }

    /// Each connection reads at most so many bytes per second.
    ///
    /// # Panics
    ///
    /// If that is none.
    #[must_use]
    pub fn with_read_rate_of_each(mut self, bytes_per_second: u64) -> Self {
        self.read_of_each = Some(TokenBucket::new(bytes_per_second));
        self
    }

    /// Each connection writes at most so many bytes per second.
    ///
    /// # Panics
    ///
    /// If that is none.
    #[must_use]
    pub fn with_write_rate_of_each(mut self, bytes_per_second: u64) -> Self {
        self.write_of_each = Some(TokenBucket::new(bytes_per_second));
        self
    }

    fn layer(&self) -> ShapingLayer {
        let own = |bucket: &Option<TokenBucket>| bucket.clone().map(TokenBucket::into_shared);
        let read = own(&self.read_of_each).into_iter().chain(self.read.clone());
        let write = own(&self.write_of_each)
            .into_iter()
            .chain(self.write.clone());
        let layer = read.fold(ShapingLayer::new(), ShapingLayer::reading);
        write.fold(layer, ShapingLayer::writing)
    }
}

impl<F: Factory> Factory for ThrottlingFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(self.layer())];
        layers.append(&mut self.factory.layers(peer));
        layers
    }
}
