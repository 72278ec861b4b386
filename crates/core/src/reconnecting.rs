//! A factory whose connector comes back after every loss and failure.

use std::cell::RefCell;
use std::rc::Rc;

use crate::back_off::BackOff;
use crate::connector::Connector;
use crate::factory::Factory;
use crate::protocol::Protocol;
use crate::reason::{ConnectError, Reason};
use crate::timer::DelayedCall;
use crate::transport::Transport;

/// Wraps a client's factory: connects again, with growing and jittered delays, whenever the connection is lost or failed
/// (R48). A connection that a protocol was built for starts the delays anew.
///
/// ```
/// use ropewalk_core::{BackOff, Handle, Protocol, ReconnectingFactory, Transport};
///
/// # struct Ping;
/// # impl Protocol for Ping { fn data_received(&mut self, _: &Transport, _: &[u8]) {} }
/// fn keep_connected(reactor: &Handle) -> Result<(), ropewalk_core::endpoint::EndpointError> {
///     let factory = ReconnectingFactory::new(|| Ping).with_max_retries(10);
///     reactor.connect("tcp:127.0.0.1:8000", factory).map(drop)
/// }
/// ```
#[doc(alias = "ReconnectingClientFactory")]
pub struct ReconnectingFactory<F> {
    factory: F,
    back_off: BackOff,
    max_retries: Option<u32>,
    retries: u32,
    trying: Trying,
}

/// Stops a [`ReconnectingFactory`] for good; cheap to clone.
#[derive(Clone, Default)]
pub struct Trying(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    stopped: bool,
    pending: Option<DelayedCall>,
    connector: Option<Connector>,
}

impl Trying {
    /// Never connects again. A pending attempt is given up; a connection that is there stays (R48).
    #[doc(alias = "stopTrying")]
    pub fn stop(&self) {
        let mut state = self.0.borrow_mut();
        state.stopped = true;
        if let Some(pending) = state.pending.take() {
            let _it_may_have_run = pending.cancel();
        }
        if let Some(connector) = &state.connector {
            connector.stop_connecting();
        }
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.borrow().stopped
    }
}

impl<F: Factory> ReconnectingFactory<F> {
    /// Reconnects for ever, with the default delays.
    #[must_use]
    pub fn new(factory: F) -> Self {
        let (back_off, trying) = (BackOff::default(), Trying::default());
        Self {
            factory,
            back_off,
            max_retries: None,
            retries: 0,
            trying,
        }
    }

    /// With other delays.
    #[must_use]
    pub fn with_back_off(mut self, back_off: BackOff) -> Self {
        self.back_off = back_off;
        self
    }

    /// Gives up after so many attempts in a row that failed.
    #[must_use]
    pub fn with_max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// What stops it, to keep.
    #[must_use]
    pub fn trying(&self) -> Trying {
        self.trying.clone()
    }

    fn retry(&mut self, connector: &Connector) {
        if self.trying.is_stopped() {
            return;
        }
        if self.max_retries.is_some_and(|most| self.retries >= most) {
            tracing::warn!(%connector, retries = self.retries, "gave up reconnecting");
            return;
        }
        let delay = self.back_off.draw(self.retries, connector.reactor());
        self.retries += 1;
        tracing::info!(%connector, ?delay, "will connect again");
        let again = connector.clone();
        let call = connector
            .reactor()
            .call_later_at(connector.made(), delay, move |_| again.connect());
        self.trying.0.borrow_mut().pending = Some(call);
    }
}

impl<F: Factory> Factory for ReconnectingFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn connected(&mut self, transport: &Transport) {
        self.retries = 0;
        self.factory.connected(transport);
    }

    fn started_connecting(&mut self, connector: &Connector) {
        self.trying.0.borrow_mut().connector = Some(connector.clone());
        self.factory.started_connecting(connector);
    }

    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        self.factory.connection_failed(connector, error);
        self.retry(connector);
    }

    fn connection_lost(&mut self, connector: &Connector, reason: &Reason) {
        self.factory.connection_lost(connector, reason);
        self.retry(connector);
    }
}
