//! A factory that writes down what it is told.

use std::cell::{Ref, RefCell};
use std::fmt;
use std::rc::Rc;

use ropewalk_core::{ConnectError, Connector, Factory, Protocol, Reason, Transport};

use super::script::Script;

/// What happened, in words. Clones are the same.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> Ref<'_, [String]> {
        Ref::map(self.0.borrow(), Vec::as_slice)
    }

    /// Whether there is this line.
    #[must_use]
    pub fn has(&self, line: &str) -> bool {
        self.count(line) > 0
    }

    /// How often there is this line.
    #[must_use]
    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|other| *other == line).count()
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines().is_empty()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines().fmt(f)
    }
}

impl<const N: usize> PartialEq<[&str; N]> for Log {
    fn eq(&self, other: &[&str; N]) -> bool {
        self.lines().iter().eq(other.iter())
    }
}

type Reaction = Box<dyn FnMut(&Connector)>;

/// A factory that logs its callbacks: `start`, `connecting`, `connected`, `failed: …`, `lost`, `stop`.
pub struct Witness {
    log: Log,
    build: Box<dyn FnMut() -> Option<Script>>,
    failed: Option<Reaction>,
    lost: Option<Reaction>,
}

impl Witness {
    /// One that builds this for each connection, or refuses it.
    #[must_use]
    pub fn new(log: &Log, build: impl FnMut() -> Option<Script> + 'static) -> Self {
        Self {
            log: log.clone(),
            build: Box::new(build),
            failed: None,
            lost: None,
        }
    }

    /// Does this in `connection_failed`.
    #[must_use]
    pub fn on_failed(mut self, reaction: impl FnMut(&Connector) + 'static) -> Self {
        self.failed = Some(Box::new(reaction));
        self
    }

    /// Does this in `connection_lost`.
    #[must_use]
    pub fn on_lost(mut self, reaction: impl FnMut(&Connector) + 'static) -> Self {
        self.lost = Some(Box::new(reaction));
        self
    }
}

impl Factory for Witness {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        (self.build)().map(|script| -> Box<dyn Protocol> { Box::new(script) })
    }

    fn connected(&mut self, _transport: &Transport) {
        self.log.note("connected");
    }

    fn start_factory(&mut self) {
        self.log.note("start");
    }

    fn stop_factory(&mut self) {
        self.log.note("stop");
    }

    fn started_connecting(&mut self, _connector: &Connector) {
        self.log.note("connecting");
    }

    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        self.log.note(format!("failed: {}", kind(&error)));
        if let Some(reaction) = &mut self.failed {
            reaction(connector);
        }
    }

    fn connection_lost(&mut self, connector: &Connector, _reason: &Reason) {
        self.log.note("lost");
        if let Some(reaction) = &mut self.lost {
            reaction(connector);
        }
    }
}

fn kind(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Refused(_) => "refused",
        ConnectError::TimedOut(..) => "timed out",
        ConnectError::NoRoute(..) => "no route",
        ConnectError::Lookup(..) => "look-up",
        ConnectError::Cancelled(_) => "cancelled",
        ConnectError::NoProtocol(_) => "no protocol",
        _ => "other",
    }
}
