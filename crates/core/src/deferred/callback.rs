//! A callback in its place between two nodes of a chain.

use std::panic::Location;
use std::rc::Rc;

use crate::deferred::answer::Settled;
use crate::deferred::node::{Listener, Node};
use crate::failure::Failure;
use crate::task::ready::Step;

/// A function that waits for a result, where its own goes, and where it was added.
pub(crate) struct Callback<F, U: 'static> {
    call: F,
    target: Rc<Node<U>>,
    added: &'static Location<'static>,
}

impl<F, U: 'static> Callback<F, U> {
    pub(crate) fn new(call: F, target: Rc<Node<U>>, added: &'static Location<'static>) -> Self {
        Self {
            call,
            target,
            added,
        }
    }
}

impl<T, F, U> Listener<T> for Callback<F, U>
where
    F: FnOnce(Result<T, Failure>) -> Settled<U>,
{
    fn receive(self: Box<Self>, result: Result<T, Failure>) -> Option<Rc<dyn Step>> {
        let Self {
            call,
            target,
            added,
        } = *self;
        let called = target.tasks().guard("a callback", added, || call(result));
        match called {
            Ok(Settled::Now(result)) => target.settle(result),
            Ok(Settled::Later(inner)) => target.follow(&inner),
            Err(panicked) => target.settle(Err(Failure::at(panicked, added))),
        }
    }
}
