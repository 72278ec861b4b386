//! Ends connections on which nothing happens.
//!
//! For: any factory. Not for: limits on single steps (a login, a header): those are timers of the protocol.

use std::time::Duration;

use ropewalk_core::{Factory, Protocol, Transport};

/// Gives each connection an idle time-out: half an hour, unless you say otherwise (R125).
///
/// It is the time-out of the connection itself ([`Transport::set_timeout`]): each read and each write starts it anew, at no
/// cost per message. A protocol that sets its own takes this one's place, and one that overrides
/// [`Protocol::timed_out`] decides what becomes of the connection; others end with
/// [`Reason::TimedOut`](ropewalk_core::Reason).
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_protocols::TimeoutFactory;
/// use ropewalk_testing::StringTransport;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let factory = TimeoutFactory::new(|| Echo).with_period(Duration::from_secs(60));
/// let mut peer = StringTransport::builder().factory(factory);
/// peer.advance(Duration::from_secs(60));
/// assert_eq!(peer.lost_reason().unwrap().to_string(), "timed out: idle for 60s");
/// ```
#[derive(Debug)]
pub struct TimeoutFactory<F> {
    factory: F,
    period: Duration,
}

impl<F: Factory> TimeoutFactory<F> {
    /// The period, unless another is given.
    pub const DEFAULT_PERIOD: Duration = Duration::from_secs(30 * 60);

    /// Ends what is idle for [`DEFAULT_PERIOD`](Self::DEFAULT_PERIOD).
    #[must_use]
    pub fn new(factory: F) -> Self {
        Self {
            factory,
            period: Self::DEFAULT_PERIOD,
        }
    }

    /// Ends what is idle for this long.
    #[must_use]
    pub fn with_period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }
}

impl<F: Factory> Factory for TimeoutFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        let protocol = self.factory.build_protocol(transport)?;
        transport.set_timeout(Some(self.period));
        Some(protocol)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }
}
