//! Taking turns: a lock, and a semaphore that lets several in at once.
//!
//! There are no threads here to keep apart. They are for work that spans many turns of the reactor, of which only so much may be under way:
//! one writer of a file, ten downloads.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::deferred::node::Node;
use crate::deferred::source::{Desk, Source};
use crate::deferred::{Answer, Deferred, Resolver, Settled};
use crate::task::Tasks;

/// Lets a number of holders in at once, first come, first served. Cheap to clone; all clones are the same semaphore.
///
/// A waiter that is cancelled or dropped leaves the line.
#[derive(Clone)]
pub struct DeferredSemaphore {
    counter: Rc<Counter>,
}

/// Lets one holder in at a time, first come, first served. Cheap to clone; all clones are the same lock.
///
/// ```
/// use ropewalk_core::{Deferred, Handle};
/// use ropewalk_core::deferred::DeferredLock;
///
/// async fn careful(lock: DeferredLock) -> Result<(), ropewalk_core::Failure> {
///     let token = lock.acquire().await?;
///     // … as many turns as it takes …
///     drop(token);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct DeferredLock {
    semaphore: DeferredSemaphore,
}

/// The right to be in, given back when dropped.
#[must_use = "dropping it gives it back"]
pub struct Token {
    counter: Rc<Counter>,
}

struct Counter {
    tasks: Tasks,
    free: Cell<usize>,
    next_number: Cell<u64>,
    line: RefCell<BTreeMap<u64, Resolver<Token>>>,
}

impl DeferredSemaphore {
    /// A semaphore with this many tokens.
    ///
    /// # Panics
    ///
    /// If there is none: everybody would wait for ever.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Tasks>, tokens: usize) -> Self {
        assert!(
            tokens > 0,
            "DeferredSemaphore::new with no tokens: everybody would wait for ever"
        );
        let counter = Counter {
            tasks: reactor.as_ref().clone(),
            free: Cell::new(tokens),
            next_number: Cell::new(0),
            line: RefCell::default(),
        };
        Self {
            counter: Rc::new(counter),
        }
    }

    /// Asks for a token. Safe to drop and to ask again: a token on its way to a dropped waiter goes to the next.
    #[track_caller]
    pub fn acquire(&self) -> Deferred<Token> {
        let number = self
            .counter
            .next_number
            .replace(self.counter.next_number.get() + 1);
        let weak: Weak<Counter> = Rc::downgrade(&self.counter);
        let source = Source::Desk(weak, number);
        let node = Node::new(&self.counter.tasks, Location::caller(), source);
        let (deferred, resolver) = Deferred::pair(node);
        self.counter.line.borrow_mut().insert(number, resolver);
        self.counter.serve();
        deferred
    }

    /// Calls a function when there is a token, and gives it back when the function's result is here, also after failure.
    #[track_caller]
    pub fn run<R: Answer>(&self, call: impl FnOnce() -> R + 'static) -> Deferred<R::Value> {
        self.acquire()
            .add_callback(move |token| match call().into_settled() {
                Settled::Now(result) => Settled::Now(result),
                Settled::Later(answer) => Settled::Later(answer.add_both(move |result| {
                    drop(token);
                    result
                })),
            })
    }

    /// How many tokens are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.counter.free.get()
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.counter.line.borrow().len()
    }
}

impl DeferredLock {
    /// A lock that nobody holds.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Tasks>) -> Self {
        Self {
            semaphore: DeferredSemaphore::new(reactor, 1),
        }
    }

    /// Asks for the lock, which is held until the token is dropped. Safe to drop and to ask again.
    #[track_caller]
    pub fn acquire(&self) -> Deferred<Token> {
        self.semaphore.acquire()
    }

    /// Calls a function when the lock is had, and releases it when the function's result is here, also after failure.
    #[track_caller]
    pub fn run<R: Answer>(&self, call: impl FnOnce() -> R + 'static) -> Deferred<R::Value> {
        self.semaphore.run(call)
    }

    /// Whether somebody holds it.
    #[doc(alias = "locked")]
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.semaphore.available() == 0
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.semaphore.waiting()
    }
}

impl Token {
    /// Gives it back; dropping it does the same.
    pub fn release(self) {}
}

impl Drop for Token {
    fn drop(&mut self) {
        self.counter.free.set(self.counter.free.get() + 1);
        self.counter.serve();
    }
}

impl Counter {
    /// Gives free tokens to those who wait. Nobody's code runs in here: firing only queues.
    fn serve(self: &Rc<Self>) {
        while self.free.get() > 0 {
            let first = self.line.borrow_mut().pop_first();
            let Some((_, resolver)) = first else { return };
            self.free.set(self.free.get() - 1);
            let _came_back_by_its_drop = resolver.resolve(Token {
                counter: self.clone(),
            });
        }
    }
}

impl Desk<Token> for Counter {
    fn leave(&self, number: u64) {
        let resolver = self.line.borrow_mut().remove(&number);
        drop(resolver);
    }

    /// A token gives itself back.
    fn take_back(self: Rc<Self>, _number: u64, token: Token) {
        drop(token);
    }
}

impl fmt::Debug for DeferredSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredSemaphore")
            .field("available", &self.available())
            .field("waiting", &self.waiting())
            .finish()
    }
}

impl fmt::Debug for DeferredLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredLock")
            .field("is_locked", &self.is_locked())
            .field("waiting", &self.waiting())
            .finish()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}
