//! Topics by name, on every core and machine.
//!
//! ```text
//!   Topic::send ─► receivers here ─► Published ─► mailboxes ─► Topics::receive on other cores ─► receivers there
//!                              └──► envelope ──► Backplane ──► Topics on other machines ───────► receivers there
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use ropewalk_core::{Deferred, Handle};

#[cfg(feature = "cores")]
use super::core_link::{CoreLink, Link};
use super::envelope;
use super::frames::Frames;
use super::gap::Gap;
use super::published::{Carried, Published};
use super::topic::Topic;
use crate::backplane::{Backplane, BackplaneListener};

/// Topics by name: the same topic for all who ask for the same name, on this reactor, on all cores (`on_core`), and on all
/// machines behind a [backplane](Self::with_backplane). Clones are the same topics.
///
/// A topic is there for as long as somebody has a handle on it or is subscribed to it.
///
/// ```
/// use ropewalk_testing::Clock;
/// use ropewalk_web::backplane::InProcess;
/// use ropewalk_web::websocket::Topics;
///
/// let mut clock = Clock::new();
/// let (plane, heard) = (InProcess::new(), std::rc::Rc::new(std::cell::RefCell::new(Vec::new())));
/// let here = Topics::new(&*clock).with_backplane(plane.clone());
/// let there = Topics::new(&*clock).with_backplane(plane);
///
/// let hall = there.topic("hall")?;
/// let notes = heard.clone();
/// hall.on_message_from_elsewhere(move |_, message| notes.borrow_mut().push(message.clone()));
/// here.topic("hall")?.send("hello");
/// clock.settle();
/// assert_eq!(*heard.borrow(), ["hello".into()]);
/// # Ok::<(), ropewalk_web::websocket::TopicNameError>(())
/// ```
#[derive(Clone)]
pub struct Topics(Rc<Inner>);

pub(super) struct Inner {
    handle: Handle,
    /// What tells our own messages from others' when the backplane brings them back: the same on all cores.
    origin: u64,
    topics: RefCell<BTreeMap<Arc<str>, Topic>>,
    /// With so many, those that nobody wants are looked for.
    sweep_at: Cell<usize>,
    #[cfg(feature = "cores")]
    link: RefCell<Option<Rc<dyn Link>>>,
    backplane: RefCell<Option<Rc<dyn Backplane>>>,
}

/// Where messages to a topic go beside its receivers here.
#[derive(Clone)]
pub(super) struct Elsewhere {
    pub(super) topics: Weak<Inner>,
    pub(super) name: Arc<str>,
}

/// The name of a topic is empty, or has more than 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicNameError(usize);

/// Longer names fit into no backplane. Stops clients that choose names from filling memory with them.
const MOST_NAME_BYTES: usize = 256;

/// Fewer topics than this are not worth a look.
const SWEEP_FROM: usize = 64;

impl Topics {
    /// Topics of one reactor.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Handle>) -> Self {
        let handle = reactor.as_ref().clone();
        let origin = u64::from_be_bytes(handle.random_bytes());
        Self::with_origin(handle, origin)
    }

    fn with_origin(handle: Handle, origin: u64) -> Self {
        Self(Rc::new(Inner {
            handle,
            origin,
            topics: RefCell::default(),
            sweep_at: Cell::new(SWEEP_FROM),
            #[cfg(feature = "cores")]
            link: RefCell::default(),
            backplane: RefCell::default(),
        }))
    }

    /// Topics that are the same on all cores. What one publishes crosses their mailboxes framed and compressed already, and is
    /// [received](Self::receive) in the order in which it was published. No lock is taken on the way.
    ///
    /// A mailbox that is full takes no more: what a core misses so, it is told as [`Gap::Missed`].
    ///
    /// ```no_run
    /// use ropewalk_cores::{Core, Cores, Sharing};
    /// use ropewalk_web::websocket::{Published, Topic, Topics, WebSocket, WebSocketProtocol, WebSocketServer};
    ///
    /// struct Member(Topic);
    /// impl WebSocketProtocol for Member {
    ///     fn opened(&mut self, socket: &WebSocket) {
    ///         self.0.subscribe(socket);
    ///     }
    ///     fn text_received(&mut self, socket: &WebSocket, text: &str) {
    ///         self.0.send_to_others(socket, text);
    ///     }
    /// }
    ///
    /// fn main() -> Result<(), ropewalk_core::Failure> {
    ///     Cores::new(0).run(|reactor, core: &Core<Published>| {
    ///         let topics = Topics::on_core(core);
    ///         let hall = topics.topic("hall")?;
    ///         core.on_message(move |_, _, published| topics.receive(&published));
    ///         let site = move || WebSocketServer::new({ let hall = hall.clone(); move |_| Member(hall.clone()) });
    ///         core.listen(reactor, "tcp:127.0.0.1:8080", Sharing::Kernel, site())?;
    ///         Ok(())
    ///     })
    /// }
    /// ```
    ///
    /// Mailboxes that carry other things as well have a type of yours that is `From<Published>`.
    #[cfg(feature = "cores")]
    #[must_use]
    pub fn on_core<M: From<Published> + Send + 'static>(core: &ropewalk_cores::Core<M>) -> Self {
        let this = Self::with_origin(core.reactor().clone(), core.group());
        this.0.link.replace(Some(Rc::new(CoreLink::new(core))));
        this
    }

    /// The same on all machines that share this backplane, which is started. Each core has a connection of its own to it; what
    /// comes back of this program's own messages is dropped.
    #[must_use]
    pub fn with_backplane(self, backplane: impl Backplane) -> Self {
        let backplane: Rc<dyn Backplane> = Rc::new(backplane);
        let listener = Rc::new(Listener(Rc::downgrade(&self.0)));
        backplane.start(&self.0.handle, listener);
        for name in self.0.topics.borrow().keys() {
            backplane.subscribe(name);
        }
        self.0.backplane.replace(Some(backplane));
        self
    }

    /// The topic of this name.
    ///
    /// # Errors
    ///
    /// The name is empty, or has more than 256 bytes.
    pub fn topic(&self, name: &str) -> Result<Topic, TopicNameError> {
        if let Some(topic) = self.0.topics.borrow().get(name) {
            return Ok(topic.clone());
        }
        if !(1..=MOST_NAME_BYTES).contains(&name.len()) {
            return Err(TopicNameError(name.len()));
        }
        self.0.sweep();
        let name: Arc<str> = name.into();
        let topic = Topic::elsewhere(Elsewhere {
            topics: Rc::downgrade(&self.0),
            name: Arc::clone(&name),
        });
        if let Some(backplane) = &*self.0.backplane.borrow() {
            backplane.subscribe(&name);
        }
        self.0.topics.borrow_mut().insert(name, topic.clone());
        Ok(topic)
    }

    /// Takes what another core published, for its receivers here: what `Core::on_message` gets.
    pub fn receive(&self, published: &Published) {
        if published.missed > 0 {
            self.0.tell(Gap::Missed(published.missed));
        }
        if let Some(carried) = &published.carried
            && let Some(topic) = self.0.wanted(&carried.topic)
        {
            topic.deliver_from_elsewhere(&carried.frames, carried.key);
        }
    }

    /// Leaves the backplane; fires once its connection is gone, at once if there is none.
    #[must_use]
    pub fn stop(&self) -> Deferred<()> {
        match self.0.backplane.take() {
            Some(backplane) => backplane.stop(),
            None => Deferred::succeed(&self.0.handle, ()),
        }
    }
}

impl Inner {
    /// What was sent to a topic here goes to all others.
    pub(super) fn publish(&self, carried: Carried) {
        let backplane = self.backplane.borrow().clone();
        if let Some(backplane) = backplane {
            let message = &carried.frames.message;
            let sealed = envelope::seal(self.origin, carried.key, message);
            backplane.publish(&carried.topic, sealed);
        }
        #[cfg(feature = "cores")]
        if let Some(link) = self.link.borrow().clone() {
            link.publish(&Arc::new(carried));
        }
    }

    /// The topic, if somebody here still wants it.
    fn wanted(&self, name: &str) -> Option<Topic> {
        let topic = self.topics.borrow().get(name).cloned()?;
        // One handle is ours, and one is here.
        if topic.is_wanted(2) {
            return Some(topic);
        }
        self.forget(name);
        None
    }

    fn forget(&self, name: &str) {
        self.topics.borrow_mut().remove(name);
        if let Some(backplane) = &*self.backplane.borrow() {
            backplane.unsubscribe(name);
        }
    }

    /// Forgets topics that nobody wants, now and then.
    fn sweep(&self) {
        if self.topics.borrow().len() < self.sweep_at.get() {
            return;
        }
        let topics = self.topics.borrow();
        let unwanted = topics.iter().filter(|(_, topic)| !topic.is_wanted(1));
        let unwanted: Vec<Arc<str>> = unwanted.map(|(name, _)| Arc::clone(name)).collect();
        drop(topics);
        unwanted.iter().for_each(|name| self.forget(name));
        let left = self.topics.borrow().len();
        self.sweep_at.set(SWEEP_FROM.max(2 * left));
    }

    fn tell(&self, gap: Gap) {
        let all: Vec<Topic> = self.topics.borrow().values().cloned().collect();
        all.iter().for_each(|topic| topic.tell(gap));
    }
}

/// What the backplane tells.
struct Listener(Weak<Inner>);

impl BackplaneListener for Listener {
    fn received(&self, topic: &str, payload: &[u8]) {
        let Some(topics) = self.0.upgrade() else {
            return;
        };
        let Some(opened) = envelope::open(payload) else {
            return tracing::warn!(topic, "the backplane brought a damaged message");
        };
        if opened.origin != Some(topics.origin)
            && let Some(topic) = topics.wanted(topic)
        {
            topic.deliver_from_elsewhere(&Frames::new(opened.message), opened.key);
        }
    }

    fn lost(&self) {
        if let Some(topics) = self.0.upgrade() {
            topics.tell(Gap::Lost);
        }
    }

    fn back(&self, topic: Option<&str>) {
        let Some(topics) = self.0.upgrade() else {
            return;
        };
        match topic {
            None => topics.tell(Gap::Back),
            Some(name) => {
                let topic = topics.topics.borrow().get(name).cloned();
                topic.into_iter().for_each(|topic| topic.tell(Gap::Back));
            }
        }
    }

    fn dropped(&self, messages: u64) {
        if let Some(topics) = self.0.upgrade() {
            topics.tell(Gap::Unsent(messages));
        }
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topics({} of them)", self.0.topics.borrow().len())
    }
}

impl fmt::Display for TopicNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        write!(
            f,
            "the name of a topic has 1 to {MOST_NAME_BYTES} bytes, not {bytes}"
        )
    }
}

impl Error for TopicNameError {}
