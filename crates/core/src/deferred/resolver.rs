//! The end of a Deferred that fires it.

use std::fmt;
use std::rc::Rc;

use crate::deferred::node::Node;
use crate::failure::{AlreadyCalled, Failure};

/// Fires one [`Deferred`](crate::Deferred), once.
///
/// No callback runs inside these methods: firing stores the result, and the callbacks run on the reactor's turn. A resolver dropped
/// without firing fails its Deferred, so that nobody waits for ever: with [`Cancelled`](crate::failure::Cancelled) if that was asked for, else
/// with [`ResolverDropped`](crate::failure::ResolverDropped).
pub struct Resolver<T: 'static> {
    node: Rc<Node<T>>,
}

impl<T: 'static> Resolver<T> {
    pub(crate) fn from_node(node: Rc<Node<T>>) -> Self {
        Self { node }
    }

    pub(crate) fn node(&self) -> &Rc<Node<T>> {
        &self.node
    }

    /// Fires with a value.
    ///
    /// # Errors
    ///
    /// It has fired already; the value is dropped (rule 95). The first firing after the Deferred was cancelled is ignored without an
    /// error, as whoever fires need not know (rule 98).
    #[doc(alias = "callback")]
    #[doc(alias = "succeed")]
    pub fn resolve(&self, value: T) -> Result<(), AlreadyCalled> {
        self.node.fire(Ok(value))
    }

    /// Fires with a failure.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    #[doc(alias = "errback")]
    #[track_caller]
    pub fn fail(&self, failure: impl Into<Failure>) -> Result<(), AlreadyCalled> {
        self.node.fire(Err(failure.into()))
    }

    /// Fires with a result.
    ///
    /// # Errors
    ///
    /// As [`resolve`](Self::resolve).
    pub fn resolve_with(&self, result: Result<T, Failure>) -> Result<(), AlreadyCalled> {
        self.node.fire(result)
    }

    /// Whether it has fired or was cancelled.
    #[must_use]
    pub fn is_fired(&self) -> bool {
        self.node.is_settled()
    }

    /// Whether somebody may look at a result: it has not fired, was not cancelled, and the Deferred was not just dropped.
    ///
    /// For those who give out something that must not get lost.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.node.is_settled() && !self.node.is_abandoned()
    }
}

impl<T: 'static> Drop for Resolver<T> {
    fn drop(&mut self) {
        self.node.give_up();
    }
}

impl<T: 'static> fmt::Debug for Resolver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("is_fired", &self.is_fired())
            .finish_non_exhaustive()
    }
}
