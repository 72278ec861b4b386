//! A failure as a value: any error, and where it became a failure.
//!
//! The error side of every [`Deferred`](crate::Deferred). `?` turns any error into one, as with `anyhow`. It is not for code that must list
//! what can go wrong: such code has an enum of its own, which then travels inside a failure and comes out by [`Failure::downcast_ref`].

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::panic;

/// Any error, with the place where it became a failure.
///
/// One pointer wide, so that a `Result<T, Failure>` costs little. Not an [`Error`] itself, because only so can every error become one by
/// `?`; [`Failure::into_error`] gives the error back.
///
/// ```
/// use ropewalk_core::failure::{Failure, TimedOut};
///
/// fn port(text: &str) -> Result<u16, Failure> {
///     Ok(text.parse()?)
/// }
///
/// let failure = port("many").unwrap_err();
/// assert!(failure.is::<std::num::ParseIntError>());
/// assert!(!failure.is::<TimedOut>());
/// assert_eq!(failure.to_string(), "invalid digit found in string");
/// ```
pub struct Failure {
    inner: Box<Inner>,
}

struct Inner {
    error: Box<dyn Error + Send + Sync>,
    location: &'static Location<'static>,
}

impl Failure {
    /// Makes a failure of an error. `?` and `into()` do the same.
    #[track_caller]
    #[must_use]
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self::from_boxed(Box::new(error))
    }

    /// Makes a failure of a text, where no caller will ask for its type.
    #[track_caller]
    #[must_use]
    pub fn message(message: impl fmt::Display) -> Self {
        Self::from_boxed(message.to_string().into())
    }

    /// Makes a failure of an error whose type is forgotten already.
    #[track_caller]
    #[must_use]
    pub fn from_boxed(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::boxed_at(error, Location::caller())
    }

    /// A failure that arose elsewhere than in the code that makes it a value.
    pub(crate) fn at(
        error: impl Error + Send + Sync + 'static,
        location: &'static Location<'static>,
    ) -> Self {
        Self::boxed_at(Box::new(error), location)
    }

    fn boxed_at(error: Box<dyn Error + Send + Sync>, location: &'static Location<'static>) -> Self {
        Self {
            inner: Box::new(Inner { error, location }),
        }
    }

    /// The error.
    #[doc(alias = "value")]
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.inner.error
    }

    /// The error, for those who want a boxed error.
    #[must_use]
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.inner.error
    }

    /// Where it became a failure: the place of the `?`, the `into()` or the `new`.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.inner.location
    }

    /// Whether the error is of this type.
    #[doc(alias = "check")]
    #[must_use]
    pub fn is<E: Error + 'static>(&self) -> bool {
        self.inner.error.is::<E>()
    }

    /// The error, if it is of this type.
    #[doc(alias = "check")]
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.inner.error.downcast_ref()
    }

    /// The error if it is of this type, for an errback that handles one kind and passes on the rest.
    ///
    /// ```
    /// use ropewalk_core::failure::{Cancelled, Failure};
    ///
    /// fn ignore_cancelled(failure: Failure) -> Result<(), Failure> {
    ///     failure.downcast::<Cancelled>().map(drop)
    /// }
    ///
    /// assert!(ignore_cancelled(Cancelled.into()).is_ok());
    /// assert!(ignore_cancelled(Failure::message("no")).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// The failure unchanged, if its error is of another type.
    #[doc(alias = "trap")]
    pub fn downcast<E: Error + 'static>(self) -> Result<E, Self> {
        let location = self.inner.location;
        match self.inner.error.downcast() {
            Ok(error) => Ok(*error),
            Err(error) => Err(Self::boxed_at(error, location)),
        }
    }

    /// The first error of this type in the chain of causes, the error itself included.
    #[must_use]
    pub fn find<E: Error + 'static>(&self) -> Option<&E> {
        self.chain().find_map(|error| error.downcast_ref())
    }

    /// The error, then its cause, then the cause's cause.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        let first: &(dyn Error + 'static) = &*self.inner.error;
        std::iter::successors(Some(first), |error| (*error).source())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// The error's text; with `{:#}` the causes too, after colons.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner.error)?;
        if f.alternate() {
            for cause in self.chain().skip(1) {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

/// The error with its causes and the place, as shown by a `main` that returns it.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#} (failed at {})", self.inner.location)
    }
}

/// It was cancelled before it had a result.
#[doc(alias = "CancelledError")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// It had no result within its time, and was cancelled for that.
#[doc(alias = "TimeoutError")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    /// The time that it was given.
    pub after: Duration,
}

/// A callback or task panicked. The panic is in the log, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Panicked {
    /// What the panic said, and where.
    pub message: String,
    /// Where the callback was added or the task spawned.
    pub location: &'static Location<'static>,
}

/// The [`Resolver`](crate::Resolver) was dropped before it fired, so there never will be a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolverDropped;

/// It has a result already, or it ran already, and happens only once.
#[doc(alias = "AlreadyCalledError")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyCalled;

/// The reactor is gone, so this will never run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReactorGone;

impl Panicked {
    /// From what `catch_unwind` caught.
    pub(crate) fn new(payload: &(dyn Any + Send), location: &'static Location<'static>) -> Self {
        let message = panic::message(payload);
        Self { message, location }
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled")
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no result within {:?}", self.after)
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {} (from {})", self.message, self.location)
    }
}

impl fmt::Display for ResolverDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whoever was to give the result gave up without one (the resolver was dropped)")
    }
}

impl fmt::Display for AlreadyCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("already called")
    }
}

impl fmt::Display for ReactorGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the reactor is gone")
    }
}

impl Error for Cancelled {}
impl Error for TimedOut {}
impl Error for Panicked {}
impl Error for ResolverDropped {}
impl Error for AlreadyCalled {}
impl Error for ReactorGone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(Cancelled);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn question_mark_remembers_its_line() {
        fn failing() -> Result<(), Failure> {
            Err(Cancelled)?;
            Ok(())
        }
        let failure = failing().unwrap_err();
        assert_eq!(failure.location().file(), file!());
        assert!(failure.location().line() < line!());
    }

    #[test]
    fn downcast_gives_the_error_or_the_same_failure_back() {
        let failure = Failure::new(Cancelled);
        let line = failure.location().line();
        let failure = failure.downcast::<TimedOut>().unwrap_err();
        assert_eq!(failure.location().line(), line);
        assert_eq!(failure.downcast::<Cancelled>().unwrap(), Cancelled);
    }

    #[test]
    fn causes_are_found_and_shown() {
        let failure = Failure::new(Outer(Cancelled));
        assert!(!failure.is::<Cancelled>());
        assert_eq!(failure.find::<Cancelled>(), Some(&Cancelled));
        assert_eq!(failure.to_string(), "outer");
        assert_eq!(format!("{failure:#}"), "outer: cancelled");
        assert!(format!("{failure:?}").starts_with("outer: cancelled (failed at "));
    }

    #[test]
    fn a_failure_crosses_threads_and_is_one_pointer_wide() {
        fn crosses<T: Send + Sync>() -> usize {
            size_of::<T>()
        }
        assert_eq!(crosses::<Failure>(), size_of::<usize>());
    }
}
