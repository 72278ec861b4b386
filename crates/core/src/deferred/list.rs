//! Waiting for several Deferreds: for all, or for the first.
//!
//! | | gives | a failure |
//! | --- | --- | --- |
//! | [`gather_results`] | all values | fails the whole, with its index |
//! | [`DeferredList::results`] | all results | is one of the results |
//! | [`DeferredList::first_result`] | the first value, with its index | counts when all have failed |
//! | [`first`] | the first value, with its index, and cancels the others | counts when all have failed |
//!
//! Cancelling what these give cancels every member that has no result.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::deferred::node::{Listener, Node};
use crate::deferred::source::Source;
use crate::deferred::{Canceller, Deferred};
use crate::failure::{Cancelled, Failure};
use crate::task::Tasks;
use crate::task::ready::Step;

/// Several Deferreds to wait for together, and what to make of their failures.
///
/// ```
/// use ropewalk_core::Deferred;
/// use ropewalk_core::deferred::DeferredList;
/// use ropewalk_core::task::Tasks;
///
/// fn how_many_came(tasks: &Tasks, guests: Vec<Deferred<()>>) -> Deferred<usize> {
///     DeferredList::new(guests)
///         .results(tasks)
///         .add_callback(|results| Ok(results.iter().filter(|result| result.is_ok()).count()))
/// }
/// ```
#[derive(Debug)]
pub struct DeferredList<T: 'static> {
    members: Vec<Deferred<T>>,
    fail_on_first_error: bool,
    consume_errors: bool,
}

/// The failure of a list, with the index of the member that failed first.
#[derive(Debug)]
pub struct FirstError {
    /// Which member.
    pub index: usize,
    /// Why.
    pub failure: Failure,
}

/// All members failed, so none is the first.
#[doc(alias = "FailureGroup")]
#[derive(Debug)]
pub struct AllFailed {
    /// Why, in the order of the list.
    pub failures: Vec<Failure>,
}

/// Waits for all values; the first failure fails the whole with [`FirstError`], later ones are logged. No members: no wait.
#[doc(alias = "gatherResults")]
#[track_caller]
pub fn gather_results<T: 'static>(
    reactor: &impl AsRef<Tasks>,
    members: impl IntoIterator<Item = Deferred<T>>,
) -> Deferred<Vec<T>> {
    DeferredList::new(members)
        .fail_on_first_error()
        .results(reactor)
        .add_callback(|results| results.into_iter().collect::<Result<Vec<T>, Failure>>())
}

/// Waits for the first value, gives it with its index, and cancels all others. Fails with [`AllFailed`] when there can be none.
#[doc(alias = "race")]
#[track_caller]
pub fn first<T: 'static>(
    reactor: &impl AsRef<Tasks>,
    members: impl IntoIterator<Item = Deferred<T>>,
) -> Deferred<(usize, T)> {
    let list = DeferredList::new(members).consume_errors();
    let tally = FirstValue::new(list.members.len());
    list.wait(reactor.as_ref(), Location::caller(), tally, true)
}

impl<T: 'static> DeferredList<T> {
    /// A list that waits for all, whatever becomes of them.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = Deferred<T>>) -> Self {
        Self {
            members: members.into_iter().collect(),
            fail_on_first_error: false,
            consume_errors: false,
        }
    }

    /// The first failure fails the whole with [`FirstError`].
    #[doc(alias = "fireOnOneErrback")]
    #[must_use]
    pub fn fail_on_first_error(self) -> Self {
        Self {
            fail_on_first_error: true,
            ..self
        }
    }

    /// Failures that come after the list has fired are forgotten instead of logged.
    #[doc(alias = "consumeErrors")]
    #[must_use]
    pub fn consume_errors(self) -> Self {
        Self {
            consume_errors: true,
            ..self
        }
    }

    /// All results, in the order of the list. No members: no wait.
    #[track_caller]
    pub fn results(self, reactor: &impl AsRef<Tasks>) -> Deferred<Vec<Result<T, Failure>>> {
        let tally = AllResults::new(self.members.len(), self.fail_on_first_error);
        self.wait(reactor.as_ref(), Location::caller(), tally, false)
    }

    /// The first value with its index; the others go on, and what becomes of them is nobody's business. Fails with [`AllFailed`] when there
    /// can be none, as with no members at all.
    #[doc(alias = "fireOnOneCallback")]
    #[track_caller]
    pub fn first_result(self, reactor: &impl AsRef<Tasks>) -> Deferred<(usize, T)> {
        let tally = FirstValue::new(self.members.len());
        self.wait(reactor.as_ref(), Location::caller(), tally, false)
    }

    fn wait<C: Tally<T> + 'static>(
        self,
        tasks: &Tasks,
        made: &'static Location<'static>,
        mut tally: C,
        cancel_losers: bool,
    ) -> Deferred<C::Whole> {
        let cancellers: Vec<_> = self.members.iter().map(Deferred::canceller).collect();
        let losers = if cancel_losers {
            cancellers.clone()
        } else {
            Vec::new()
        };
        let target = Node::new(tasks, made, Source::Members(cancellers));
        let deferred = Deferred::from_node(target.clone());
        if self.members.is_empty() {
            let _nobody_listens_yet = target.settle(tally.whole());
            return deferred;
        }
        let consume_errors = self.consume_errors;
        let tally = RefCell::new(tally);
        let list = Rc::new(List {
            tally,
            target,
            losers,
            consume_errors,
        });
        for (index, member) in self.members.into_iter().enumerate() {
            let (list, made) = (list.clone(), member.node().birthplace());
            member.node().listen(Box::new(Member { index, made, list }));
        }
        deferred
    }
}

/// What a list makes of its members' results.
trait Tally<T> {
    type Whole: 'static;

    /// Counts one; says whether the list is to fire.
    fn add(&mut self, index: usize, result: Result<T, Failure>) -> bool;

    /// The result of the list, taken once.
    fn whole(&mut self) -> Result<Self::Whole, Failure>;
}

struct AllResults<T> {
    results: Vec<Option<Result<T, Failure>>>,
    missing: usize,
    fail_on_first_error: bool,
    first_error: Option<FirstError>,
}

impl<T> AllResults<T> {
    fn new(members: usize, fail_on_first_error: bool) -> Self {
        let results = (0..members).map(|_| None).collect();
        Self {
            results,
            missing: members,
            fail_on_first_error,
            first_error: None,
        }
    }
}

impl<T: 'static> Tally<T> for AllResults<T> {
    type Whole = Vec<Result<T, Failure>>;

    fn add(&mut self, index: usize, result: Result<T, Failure>) -> bool {
        self.missing -= 1;
        match result {
            Err(failure) if self.fail_on_first_error => {
                self.first_error = Some(FirstError { index, failure });
                true
            }
            result => {
                self.results[index] = Some(result);
                self.missing == 0
            }
        }
    }

    fn whole(&mut self) -> Result<Self::Whole, Failure> {
        match self.first_error.take() {
            Some(error) => {
                let location = error.failure.location();
                Err(Failure::at(error, location))
            }
            None => Ok(self.results.drain(..).flatten().collect()),
        }
    }
}

struct FirstValue<T> {
    value: Option<(usize, T)>,
    failures: Vec<Option<Failure>>,
    missing: usize,
}

impl<T> FirstValue<T> {
    fn new(members: usize) -> Self {
        let failures = (0..members).map(|_| None).collect();
        Self {
            value: None,
            failures,
            missing: members,
        }
    }
}

impl<T: 'static> Tally<T> for FirstValue<T> {
    type Whole = (usize, T);

    fn add(&mut self, index: usize, result: Result<T, Failure>) -> bool {
        self.missing -= 1;
        match result {
            Ok(value) => self.value = Some((index, value)),
            Err(failure) => self.failures[index] = Some(failure),
        }
        self.value.is_some() || self.missing == 0
    }

    fn whole(&mut self) -> Result<Self::Whole, Failure> {
        self.value.take().ok_or_else(|| {
            let failures = self.failures.drain(..).flatten().collect();
            AllFailed { failures }.into()
        })
    }
}

/// What the members of a list share.
struct List<C, W: 'static> {
    tally: RefCell<C>,
    target: Rc<Node<W>>,
    losers: Vec<Canceller>,
    consume_errors: bool,
}

struct Member<C, W: 'static> {
    index: usize,
    made: &'static Location<'static>,
    list: Rc<List<C, W>>,
}

impl<T, C: Tally<T>> Listener<T> for Member<C, C::Whole> {
    fn receive(self: Box<Self>, result: Result<T, Failure>) -> Option<Rc<dyn Step>> {
        let List {
            tally,
            target,
            losers,
            consume_errors,
        } = &*self.list;
        if target.is_settled() {
            let failure = result
                .err()
                .filter(|failure| !consume_errors && !failure.is::<Cancelled>());
            if let Some(failure) = failure {
                target.tasks().report_unhandled(self.made, failure);
            }
            return None;
        }
        let is_whole = tally.borrow_mut().add(self.index, result);
        if !is_whole {
            return None;
        }
        let whole = tally.borrow_mut().whole();
        losers.iter().for_each(Canceller::cancel);
        target.settle(whole)
    }
}

impl fmt::Display for FirstError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "number {} of the list failed: {}",
            self.index, self.failure
        )
    }
}

impl fmt::Display for AllFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} of the list failed", self.failures.len())?;
        for (index, failure) in self.failures.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{failure}")?;
        }
        Ok(())
    }
}

impl Error for FirstError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.failure.error())
    }
}

impl Error for AllFailed {}
