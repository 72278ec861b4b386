//! What callbacks and tasks may return.

use crate::deferred::Deferred;
use crate::failure::Failure;

/// What a callback or a task may return: nothing, a `Result<T, Failure>`, or a [`Deferred`] whose result is waited for.
///
/// Not a bare value: `Ok(value)` keeps type inference simple, and `?` then works in every callback.
#[diagnostic::on_unimplemented(
    message = "a callback or task cannot return `{Self}`",
    label = "return `Ok(value)`, a `Deferred`, or nothing",
    note = "errors other than `Failure` become one by `?` or `.map_err(Failure::new)`"
)]
pub trait Answer {
    /// The value when all goes well.
    type Value: 'static;

    /// As a result that is here or is coming.
    fn into_settled(self) -> Settled<Self::Value>;
}

/// A result that is here, or the Deferred that it will come from.
#[derive(Debug)]
pub enum Settled<T: 'static> {
    /// It is here.
    Now(Result<T, Failure>),
    /// It will come.
    Later(Deferred<T>),
}

impl Answer for () {
    type Value = ();

    fn into_settled(self) -> Settled<()> {
        Settled::Now(Ok(()))
    }
}

impl<T: 'static> Answer for Result<T, Failure> {
    type Value = T;

    fn into_settled(self) -> Settled<T> {
        Settled::Now(self)
    }
}

impl<T: 'static> Answer for Deferred<T> {
    type Value = T;

    fn into_settled(self) -> Settled<T> {
        Settled::Later(self)
    }
}

impl<T: 'static> Answer for Settled<T> {
    type Value = T;

    fn into_settled(self) -> Self {
        self
    }
}

/// The never type, which stable Rust cannot name but lets be inferred: what a task that loops for ever, or always panics, returns.
pub trait Returns {
    type Value;
}

impl<R> Returns for fn() -> R {
    type Value = R;
}

#[diagnostic::do_not_recommend]
impl Answer for <fn() -> ! as Returns>::Value {
    type Value = ();

    fn into_settled(self) -> Settled<()> {
        match self {}
    }
}
