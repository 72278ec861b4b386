//! Producers: what writes as fast as the peer reads.

use std::fmt;

use crate::transport::Transport;

/// Writes to a transport on demand.
///
/// A *push* producer (`streaming`) writes when it likes: it is paused when more than the high-water mark waits and resumed
/// when the queue is empty (R66). A *pull* producer is asked once at registration and each time the queue runs empty, and
/// is never paused (R67). Both end by [`Transport::unregister_producer`]; a connection being lost waits for that (R70).
pub trait Producer: 'static {
    /// Write: one piece (pull), or from now on (push).
    #[doc(alias = "resumeProducing")]
    fn resume_producing(&mut self, transport: &Transport);

    /// Write nothing for now. Only push producers are told.
    #[doc(alias = "pauseProducing")]
    fn pause_producing(&mut self, transport: &Transport) {
        let _ = transport;
    }

    /// The connection is gone; called once, and last (R69).
    #[doc(alias = "stopProducing")]
    fn stop_producing(&mut self, transport: &Transport) {
        let _ = transport;
    }
}

/// Another producer is registered already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerError;

impl fmt::Display for ProducerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a producer is registered already; unregister it first")
    }
}

impl std::error::Error for ProducerError {}

/// The one place for a producer on a connection.
#[derive(Default)]
pub(crate) enum Slot {
    /// None is registered.
    #[default]
    Empty,
    /// Registered, waiting to be told.
    Idle(Registration),
    /// Registered, and running right now: the registry holds it.
    Called,
}

impl Slot {
    pub(crate) const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Takes the producer out to be called; gives none if none is registered.
    pub(crate) fn begin(&mut self) -> Option<Registration> {
        match std::mem::take(self) {
            Self::Idle(registration) => {
                *self = Self::Called;
                Some(registration)
            }
            other => {
                *self = other;
                None
            }
        }
    }

    /// Puts the producer back, unless it was unregistered during the call; then gives it back to be dropped.
    pub(crate) fn end(&mut self, registration: Registration) -> Option<Registration> {
        if matches!(self, Self::Called) {
            *self = Self::Idle(registration);
            return None;
        }
        Some(registration)
    }
}

/// A registered producer and what it was last told.
pub(crate) struct Registration {
    producer: Box<dyn Producer>,
    streaming: bool,
    paused: bool,
}

impl Registration {
    pub(crate) fn new(producer: Box<dyn Producer>, streaming: bool) -> Self {
        Self {
            producer,
            streaming,
            paused: false,
        }
    }

    /// The queue holds too much.
    pub(crate) fn pause(&mut self, transport: &Transport) {
        if self.streaming && !self.paused {
            self.paused = true;
            self.producer.pause_producing(transport);
        }
    }

    /// The queue is empty: a paused push producer goes on, a pull producer is asked again.
    pub(crate) fn drained(&mut self, transport: &Transport) {
        if !self.streaming || self.paused {
            self.paused = false;
            self.producer.resume_producing(transport);
        }
    }

    pub(crate) fn stop(&mut self, transport: &Transport) {
        self.producer.stop_producing(transport);
    }
}
