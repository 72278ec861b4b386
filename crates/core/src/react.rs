//! Running a reactor for the sake of one main function.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::deferred::Answer;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::reactor::Reactor;

/// A failure that says with which status the process shall end (R31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit status {}", self.0)
    }
}

impl std::error::Error for Exit {}

impl Reactor {
    /// Runs until the main function has its result, then stops in order, once (R31).
    ///
    /// Gives the result; none if a signal or somebody else stopped the reactor first.
    ///
    /// # Errors
    ///
    /// The main function failed; or the reactor has run before, or its driver cannot go on.
    #[doc(alias = "react")]
    pub fn run_main<F>(
        &mut self,
        main: impl FnOnce(Handle) -> F + 'static,
    ) -> Result<Option<<F::Output as Answer>::Value>, Failure>
    where
        F: Future<Output: Answer> + 'static,
    {
        let outcome = Rc::new(RefCell::new(None));
        let result = Rc::clone(&outcome);
        self.call_when_running(move |reactor| {
            let handle = reactor.clone();
            reactor.spawn(main(reactor.clone())).on_result(move |main| {
                *result.borrow_mut() = Some(main);
                let _stopping_already = handle.stop();
            });
        });
        self.run()?;
        outcome.take().transpose()
    }
}
