//! A protocol that does what a rule tells it to, and writes down what it is told.

use std::cell::{Ref, RefCell};
use std::fmt;
use std::rc::Rc;

use ropewalk_core::{Protocol, Reason, Transport};

/// What a protocol was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// `connection_made`.
    Made,
    /// `data_received`, with how many bytes.
    Data(usize),
    /// `eof_received`.
    Eof,
    /// `write_connection_lost`.
    WriteLost,
    /// `writing_paused`.
    Paused,
    /// `writing_resumed`.
    Resumed,
    /// `connection_lost`, with the kind of reason.
    Lost(End),
}

/// The kind of a [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in Reason")]
pub enum End {
    Done,
    Aborted,
    TimedOut,
    Lost,
    Misbehaved,
    Panicked,
}

impl From<&Reason> for End {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::Done => Self::Done,
            Reason::Aborted => Self::Aborted,
            Reason::TimedOut(_) => Self::TimedOut,
            Reason::Misbehaved(_) => Self::Misbehaved,
            Reason::Panicked(_) => Self::Panicked,
            _ => Self::Lost,
        }
    }
}

/// What a script was told, to look at from outside. Clones are the same.
#[derive(Clone, Default)]
pub struct Diary(Rc<RefCell<Pages>>);

#[derive(Default)]
struct Pages {
    told: Vec<Told>,
    bytes: Vec<u8>,
    transport: Option<Transport>,
    reason: Option<String>,
}

impl Diary {
    /// Everything in order, runs of data as one.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        let mut joined: Vec<Told> = Vec::new();
        for told in &self.0.borrow().told {
            match (joined.last_mut(), told) {
                (Some(Told::Data(before)), Told::Data(more)) => *before += more,
                _ => joined.push(told.clone()),
            }
        }
        joined
    }

    /// Whether it was told this.
    #[must_use]
    pub fn has(&self, told: &Told) -> bool {
        self.0.borrow().told.contains(told)
    }

    /// How often it was told this.
    #[must_use]
    pub fn count(&self, told: &Told) -> usize {
        self.0
            .borrow()
            .told
            .iter()
            .filter(|other| *other == told)
            .count()
    }

    /// All bytes received.
    #[must_use]
    pub fn bytes(&self) -> Ref<'_, [u8]> {
        Ref::map(self.0.borrow(), |pages| pages.bytes.as_slice())
    }

    /// How many bytes were received.
    #[must_use]
    pub fn received(&self) -> usize {
        self.bytes().len()
    }

    /// The transport.
    ///
    /// # Panics
    ///
    /// If the connection was not made yet.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.0
            .borrow()
            .transport
            .clone()
            .expect("the connection is made")
    }

    /// Whether the connection was made.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.has(&Told::Made)
    }

    /// How the connection was lost, if it was.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.0.borrow().told.iter().find_map(|told| match told {
            Told::Lost(end) => Some(*end),
            _ => None,
        })
    }

    /// Whether the connection was lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.end().is_some()
    }

    /// The text of the reason.
    #[must_use]
    pub fn reason(&self) -> String {
        self.0.borrow().reason.clone().unwrap_or_default()
    }

    fn note(&self, told: Told) {
        self.0.borrow_mut().told.push(told);
    }
}

impl fmt::Debug for Diary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.told(), self.reason())
    }
}

type Reaction = Box<dyn FnMut(&Transport)>;
type OnData = Box<dyn FnMut(&Transport, &[u8])>;

/// A protocol made of closures; what has none is as the trait has it.
#[derive(Default)]
pub struct Script {
    diary: Diary,
    made: Option<Reaction>,
    data: Option<OnData>,
    eof: Option<Reaction>,
    write_lost: Option<Reaction>,
    paused: Option<Reaction>,
    resumed: Option<Reaction>,
    lost: Option<Reaction>,
}

impl Script {
    /// One that does nothing of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that sends back what it gets.
    #[must_use]
    pub fn echo() -> Self {
        Self::new().on_data(|transport, data| transport.write(data))
    }

    /// Its diary.
    #[must_use]
    pub fn diary(&self) -> Diary {
        self.diary.clone()
    }

    /// Does this in `connection_made`.
    #[must_use]
    pub fn on_made(mut self, reaction: impl FnMut(&Transport) + 'static) -> Self {
        self.made = Some(Box::new(reaction));
        self
    }

    /// Does this in `data_received`.
    #[must_use]
    pub fn on_data(mut self, reaction: impl FnMut(&Transport, &[u8]) + 'static) -> Self {
        self.data = Some(Box::new(reaction));
        self
    }

    /// Does this in `eof_received`, instead of closing.
    #[must_use]
    pub fn on_eof(mut self, reaction: impl FnMut(&Transport) + 'static) -> Self {
        self.eof = Some(Box::new(reaction));
        self
    }

    /// Does this in `write_connection_lost`.
    #[must_use]
    pub fn on_write_lost(mut self, reaction: impl FnMut(&Transport) + 'static) -> Self {
        self.write_lost = Some(Box::new(reaction));
        self
    }

    /// Does this in `writing_paused`.
    #[must_use]
    pub fn on_paused(mut self, reaction: impl FnMut(&Transport) + 'static) -> Self {
        self.paused = Some(Box::new(reaction));
        self
    }

    /// Does this in `writing_resumed`.
    #[must_use]
    pub fn on_resumed(mut self, reaction: impl FnMut(&Transport) + 'static) -> Self {
        self.resumed = Some(Box::new(reaction));
        self
    }

    /// Does this in `connection_lost`.
    #[must_use]
    pub fn on_lost(mut self, reaction: impl FnMut(&Transport) + 'static) -> Self {
        self.lost = Some(Box::new(reaction));
        self
    }
}

fn react(reaction: &mut Option<Reaction>, transport: &Transport) {
    if let Some(reaction) = reaction {
        reaction(transport);
    }
}

impl Protocol for Script {
    fn connection_made(&mut self, transport: &Transport) {
        self.diary.note(Told::Made);
        self.diary.0.borrow_mut().transport = Some(transport.clone());
        react(&mut self.made, transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.diary.note(Told::Data(data.len()));
        self.diary.0.borrow_mut().bytes.extend_from_slice(data);
        if let Some(reaction) = &mut self.data {
            reaction(transport, data);
        }
    }

    fn eof_received(&mut self, transport: &Transport) {
        self.diary.note(Told::Eof);
        match &mut self.eof {
            Some(reaction) => reaction(transport),
            None => transport.lose_connection(),
        }
    }

    fn write_connection_lost(&mut self, transport: &Transport) {
        self.diary.note(Told::WriteLost);
        react(&mut self.write_lost, transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.diary.note(Told::Lost(reason.into()));
        self.diary.0.borrow_mut().reason = Some(reason.to_string());
        react(&mut self.lost, transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.diary.note(Told::Paused);
        react(&mut self.paused, transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.diary.note(Told::Resumed);
        react(&mut self.resumed, transport);
    }
}
