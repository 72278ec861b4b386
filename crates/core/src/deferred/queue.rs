//! A queue between those who have items and those who wait for them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::deferred::node::Node;
use crate::deferred::source::{Desk, Source};
use crate::deferred::{Deferred, Resolver};
use crate::task::Tasks;

/// Items in order, and Deferreds for who comes before them; first come, first served on both sides. Cheap to clone; all clones are the
/// same queue.
///
/// ```
/// use ropewalk_core::Deferred;
/// use ropewalk_core::deferred::DeferredQueue;
/// use ropewalk_core::task::Tasks;
///
/// fn mail(tasks: &Tasks) -> Deferred<&'static str> {
///     let queue = DeferredQueue::new(tasks).with_size(10);
///     let letter = queue.get();
///     queue.put("hello").expect("room for ten");
///     letter
/// }
/// ```
pub struct DeferredQueue<T: 'static> {
    store: Rc<Store<T>>,
}

/// The queue is full. Holds the item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueOverflow<T>(pub T);

/// As many wait for items already as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueUnderflow;

struct Store<T: 'static> {
    tasks: Tasks,
    size: Cell<usize>,
    backlog: Cell<usize>,
    next_number: Cell<u64>,
    /// By the number of their coming, so that one that comes back stands where it stood.
    items: RefCell<BTreeMap<u64, T>>,
    line: RefCell<BTreeMap<u64, Resolver<T>>>,
}

impl<T: 'static> DeferredQueue<T> {
    /// An empty queue without limits.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Tasks>) -> Self {
        let store = Store {
            tasks: reactor.as_ref().clone(),
            size: Cell::new(usize::MAX),
            backlog: Cell::new(usize::MAX),
            next_number: Cell::new(0),
            items: RefCell::default(),
            line: RefCell::default(),
        };
        Self {
            store: Rc::new(store),
        }
    }

    /// Holds at most this many items.
    #[must_use]
    pub fn with_size(self, items: usize) -> Self {
        self.store.size.set(items);
        self
    }

    /// Lets at most this many wait.
    #[must_use]
    pub fn with_backlog(self, waiters: usize) -> Self {
        self.store.backlog.set(waiters);
        self
    }

    /// Adds an item: for the first who waits, or for who comes.
    ///
    /// # Errors
    ///
    /// [`QueueOverflow`] with the item, if nobody waits and the queue is full.
    pub fn put(&self, item: T) -> Result<(), QueueOverflow<T>> {
        if self.waiting() == 0 && self.len() >= self.store.size.get() {
            return Err(QueueOverflow(item));
        }
        let number = self.store.number();
        self.store.items.borrow_mut().insert(number, item);
        self.store.serve();
        Ok(())
    }

    /// The next item, now or later; fails at once with [`QueueUnderflow`] if too many wait.
    ///
    /// Safe to drop and to ask again: an item on its way to a Deferred that is dropped unread stands in the queue again, where it stood.
    #[track_caller]
    pub fn get(&self) -> Deferred<T> {
        if self.is_empty() && self.waiting() >= self.store.backlog.get() {
            return Deferred::fail(&self.store.tasks, QueueUnderflow);
        }
        let number = self.store.number();
        let node = Node::new(
            &self.store.tasks,
            Location::caller(),
            self.store.desk(number),
        );
        let (deferred, resolver) = Deferred::pair(node);
        self.store.line.borrow_mut().insert(number, resolver);
        self.store.serve();
        deferred
    }

    /// How many items nobody has got yet.
    #[doc(alias = "pending")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.store.items.borrow().len()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.store.line.borrow().len()
    }
}

impl<T: 'static> Store<T> {
    fn number(&self) -> u64 {
        self.next_number.replace(self.next_number.get() + 1)
    }

    fn desk(self: &Rc<Self>, number: u64) -> Source<T> {
        let weak: Weak<Self> = Rc::downgrade(self);
        Source::Desk(weak, number)
    }

    /// Gives items to those who wait. Nobody's code runs in here: firing only queues.
    fn serve(self: &Rc<Self>) {
        while let Some((number, item, resolver)) = self.match_up() {
            resolver.node().set_source(self.desk(number));
            let _whoever_left_the_line_is_not_in_it = resolver.resolve(item);
        }
    }

    fn match_up(&self) -> Option<(u64, T, Resolver<T>)> {
        let (mut items, mut line) = (self.items.borrow_mut(), self.line.borrow_mut());
        if items.is_empty() {
            return None;
        }
        let (_, resolver) = line.pop_first()?;
        let (number, item) = items.pop_first()?;
        Some((number, item, resolver))
    }
}

impl<T: 'static> Desk<T> for Store<T> {
    fn leave(&self, number: u64) {
        let resolver = self.line.borrow_mut().remove(&number);
        drop(resolver);
    }

    fn take_back(self: Rc<Self>, number: u64, item: T) {
        self.items.borrow_mut().insert(number, item);
        self.serve();
    }
}

impl<T: 'static> Clone for DeferredQueue<T> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
        }
    }
}

impl<T: 'static> fmt::Debug for DeferredQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredQueue")
            .field("len", &self.len())
            .field("waiting", &self.waiting())
            .finish()
    }
}

impl<T> fmt::Debug for QueueOverflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueOverflow")
    }
}

impl<T> fmt::Display for QueueOverflow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full")
    }
}

impl fmt::Display for QueueUnderflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many wait for the queue already")
    }
}

impl<T> Error for QueueOverflow<T> {}
impl Error for QueueUnderflow {}
