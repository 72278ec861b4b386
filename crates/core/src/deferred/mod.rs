//! Deferreds: one-shot results that take callbacks and can be awaited.
//!
//! A [`Deferred`] is a result that may not be here yet; its [`Resolver`] is the other end, which gives the result. Both live on their
//! reactor's thread. Engine internals do not use them; they are for the edges: connecting, looking up, waiting for threads, and all that
//! users build.
//!
//! ```text
//!   Resolver ─ resolve ─► Deferred ─ add_callback ─► Deferred ─ add_errback ─► Deferred ─ .await
//!                                     Ok(value) goes here       Err(failure) here
//! ```
//!
//! **Unlike Twisted**, no callback runs inside the call that fires or adds. Callbacks run on the reactor's turn, in the order in which
//! Deferreds fired, each chain as far as it goes. So `resolve` may be called in the middle of anything.
//!
//! ```
//! use ropewalk_core::{Deferred, Failure};
//! use ropewalk_core::task::Tasks;
//!
//! fn double(tasks: &Tasks) -> Deferred<u32> {
//!     let (deferred, resolver) = Deferred::new(tasks);
//!     resolver.resolve("21").expect("first time");
//!     deferred
//!         .add_callback(|text| Ok(text.parse::<u32>()?))
//!         .add_callback(|number| Ok(number * 2))
//! }
//! ```

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::failure::Failure;
use crate::task::Tasks;

mod answer;
mod callback;
mod cancel;
mod deadline;
mod list;
mod node;
mod queue;
mod resolver;
mod semaphore;
mod source;

pub use answer::{Answer, Settled};
pub use cancel::Canceller;
pub use list::{AllFailed, DeferredList, FirstError, first, gather_results};
pub use queue::{DeferredQueue, QueueOverflow, QueueUnderflow};
pub use resolver::Resolver;
pub use semaphore::{DeferredLock, DeferredSemaphore, Token};

pub(crate) use cancel::{Cancellable, Cancelling};
pub(crate) use node::Node;
pub(crate) use source::Source;

use callback::Callback;

/// A result that comes once, maybe later: a value or a [`Failure`].
///
/// Add callbacks, each of which gives the next Deferred, or `.await` it; the two mix freely. Dropping it changes nothing for callbacks
/// added before: they run. A failure that reaches the end of a chain and is dropped there is logged, with where the Deferred was made and
/// where the failure arose.
pub struct Deferred<T: 'static> {
    node: Rc<Node<T>>,
}

impl<T: 'static> Deferred<T> {
    /// A Deferred and the resolver that will fire it.
    ///
    /// Cancelled, it fails with [`Cancelled`](crate::failure::Cancelled), and one later firing of the resolver is ignored.
    #[track_caller]
    #[must_use]
    pub fn new(reactor: &impl AsRef<Tasks>) -> (Self, Resolver<T>) {
        Self::pair(Node::new(
            reactor.as_ref(),
            Location::caller(),
            Source::None,
        ))
    }

    /// A Deferred that can stop the work for its result.
    ///
    /// Cancelled, it calls `canceller` on the reactor's turn, unless a result comes before. The canceller may fire by the resolver that
    /// it is lent; if it does not, the Deferred fails with [`Cancelled`](crate::failure::Cancelled).
    #[track_caller]
    #[must_use]
    pub fn with_canceller(
        reactor: &impl AsRef<Tasks>,
        canceller: impl FnOnce(&Resolver<T>) + 'static,
    ) -> (Self, Resolver<T>) {
        let source = Source::Canceller(Box::new(canceller));
        Self::pair(Node::new(reactor.as_ref(), Location::caller(), source))
    }

    /// A Deferred that has its value.
    #[track_caller]
    #[must_use]
    pub fn succeed(reactor: &impl AsRef<Tasks>, value: T) -> Self {
        Self::settled(reactor, Ok(value))
    }

    /// A Deferred that has failed.
    #[track_caller]
    #[must_use]
    pub fn fail(reactor: &impl AsRef<Tasks>, failure: impl Into<Failure>) -> Self {
        Self::settled(reactor, Err(failure.into()))
    }

    /// A Deferred that has its result.
    #[doc(alias = "execute")]
    #[doc(alias = "maybeDeferred")]
    #[track_caller]
    #[must_use]
    pub fn settled(reactor: &impl AsRef<Tasks>, result: Result<T, Failure>) -> Self {
        let node = Node::new(reactor.as_ref(), Location::caller(), Source::None);
        let _nobody_listens_yet = node.settle(result);
        Self { node }
    }

    /// The result of a future, which is spawned on the reactor's turn; see [`Tasks::spawn`].
    #[doc(alias = "fromFuture")]
    #[doc(alias = "fromCoroutine")]
    #[track_caller]
    #[must_use]
    pub fn from_future<F>(reactor: &impl AsRef<Tasks>, future: F) -> Self
    where
        F: Future<Output: Answer<Value = T>> + 'static,
    {
        reactor.as_ref().spawn(future)
    }

    /// Calls a function with the value; a failure passes by. What the function returns is the result of the Deferred that this gives.
    #[doc(alias = "addCallback")]
    #[track_caller]
    pub fn add_callback<R: Answer>(
        self,
        callback: impl FnOnce(T) -> R + 'static,
    ) -> Deferred<R::Value> {
        self.then(move |result| match result {
            Ok(value) => callback(value).into_settled(),
            Err(failure) => Settled::Now(Err(failure)),
        })
    }

    /// Calls a function with the failure, if it is one; a value passes by. `Ok` from the function goes on as a value.
    #[doc(alias = "addErrback")]
    #[track_caller]
    pub fn add_errback<R: Answer<Value = T>>(
        self,
        errback: impl FnOnce(Failure) -> R + 'static,
    ) -> Self {
        self.then(move |result| match result {
            Ok(value) => Settled::Now(Ok(value)),
            Err(failure) => errback(failure).into_settled(),
        })
    }

    /// Calls a function with the result, value or failure.
    #[doc(alias = "addBoth")]
    #[doc(alias = "addCallbacks")]
    #[track_caller]
    pub fn add_both<R: Answer>(
        self,
        callback: impl FnOnce(Result<T, Failure>) -> R + 'static,
    ) -> Deferred<R::Value> {
        self.then(move |result| callback(result).into_settled())
    }

    /// Ends the chain: calls a function with the result, which thereby counts as looked at.
    #[track_caller]
    pub fn on_result(self, callback: impl FnOnce(Result<T, Failure>) + 'static) {
        self.add_both(callback);
    }

    /// Passes the result to the resolver of another Deferred. If that one has fired already, a failure counts as unhandled.
    #[doc(alias = "chainDeferred")]
    #[track_caller]
    pub fn resolve_into(self, resolver: Resolver<T>) {
        self.add_both(move |result| resolver.resolve_with(result).map_err(Failure::new));
    }

    /// Asks whoever works on the result to stop: the canceller, the Deferred that a callback waits for, the task.
    ///
    /// It is a request. A canceller may give a result instead; a task may handle it. Who neither does makes this fail with
    /// [`Cancelled`](crate::failure::Cancelled), which is not logged if nobody looks. Does nothing if there is a result already.
    #[track_caller]
    pub fn cancel(self) -> Self {
        self.canceller().cancel();
        self
    }

    /// A handle that cancels from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller::new(Rc::<Node<T>>::downgrade(&self.node))
    }

    /// Whether there is a result that nobody has taken.
    #[doc(alias = "called")]
    #[must_use]
    pub fn is_fired(&self) -> bool {
        self.node.is_settled()
    }

    pub(crate) fn pair(node: Rc<Node<T>>) -> (Self, Resolver<T>) {
        (Self { node: node.clone() }, Resolver::from_node(node))
    }

    pub(crate) fn from_node(node: Rc<Node<T>>) -> Self {
        Self { node }
    }

    pub(crate) fn node(&self) -> &Rc<Node<T>> {
        &self.node
    }

    #[track_caller]
    fn then<U: 'static>(
        self,
        call: impl FnOnce(Result<T, Failure>) -> Settled<U> + 'static,
    ) -> Deferred<U> {
        let target = self.node.next();
        let callback = Callback::new(call, target.clone(), Location::caller());
        self.node.listen(Box::new(callback));
        Deferred { node: target }
    }
}

/// Gives the result once. Awaiting `&mut deferred` keeps the Deferred, so that giving up and awaiting again loses nothing.
///
/// # Panics
///
/// If polled after it gave its result.
impl<T: 'static> Future for Deferred<T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.node.poll(context)
    }
}

impl<T: 'static> Drop for Deferred<T> {
    fn drop(&mut self) {
        self.node.abandon();
    }
}

impl<T: 'static> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred")
            .field("is_fired", &self.is_fired())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod friends_tests;
#[cfg(test)]
mod law_tests;
#[cfg(test)]
mod tests;
