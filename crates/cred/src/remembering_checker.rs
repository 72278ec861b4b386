//! Checks that need not be made with each request.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Deferred, Handle};
use subtle::ConstantTimeEq;

use crate::{AvatarId, Checker, Credentials, UsernamePassword};

/// Remembers passwords that were right, for a while, before a checker that takes long: HTTP shows a password with each request.
///
/// It keeps what was shown in memory for that time, of 64 users at most. A password that was changed meanwhile is good until then.
/// Failures are never remembered. What is compared takes a time that does not tell where it differs (WS-06).
///
/// ```
/// use std::time::Duration;
/// use ropewalk_cred::{PasswordChecker, PasswordTable, RememberingChecker};
///
/// let checker = RememberingChecker::new(PasswordChecker::new(PasswordTable::new()), Duration::from_secs(60));
/// ```
#[derive(Clone)]
pub struct RememberingChecker<C> {
    checker: C,
    time: Duration,
    remembered: Rc<RefCell<VecDeque<Remembered>>>,
}

struct Remembered {
    shown: UsernamePassword,
    id: AvatarId,
    until: Duration,
}

/// More are not remembered: all of them are compared with each request.
const MOST_REMEMBERED: usize = 64;

impl<C: Checker> RememberingChecker<C> {
    /// Remembers for so long what `checker` found right.
    pub fn new(checker: C, time: Duration) -> Self {
        Self {
            checker,
            time,
            remembered: Rc::default(),
        }
    }

    /// Whose credentials these are, if that is remembered.
    fn recall(&self, shown: &UsernamePassword, now: Duration) -> Option<AvatarId> {
        let mut remembered = self.remembered.borrow_mut();
        remembered.retain(|one| one.until > now);
        let is_it = |one: &&Remembered| {
            let name = one
                .shown
                .username
                .as_bytes()
                .ct_eq(shown.username.as_bytes());
            let password = one
                .shown
                .password
                .as_bytes()
                .ct_eq(shown.password.as_bytes());
            bool::from(name & password)
        };
        remembered
            .iter()
            .filter(is_it)
            .map(|one| one.id.clone())
            .next_back()
    }
}

impl<C: Checker> Checker for RememberingChecker<C> {
    fn accepts(&self, credentials: &Credentials) -> bool {
        self.checker.accepts(credentials)
    }

    fn check(&self, reactor: &Handle, credentials: Credentials) -> Deferred<AvatarId> {
        let Credentials::UsernamePassword(shown) = &credentials else {
            return self.checker.check(reactor, credentials);
        };
        let shown = shown.clone();
        if let Some(id) = self.recall(&shown, reactor.now()) {
            return Deferred::succeed(reactor, id);
        }
        let (remembered, time) = (Rc::clone(&self.remembered), self.time);
        let handle = reactor.clone();
        let checked = self.checker.check(reactor, credentials);
        checked.add_callback(move |id| {
            let mut remembered = remembered.borrow_mut();
            remembered.truncate(MOST_REMEMBERED - 1);
            remembered.push_front(Remembered {
                shown,
                id: id.clone(),
                until: handle.now() + time,
            });
            Ok(id)
        })
    }
}

/// Without what is remembered.
impl<C: fmt::Debug> fmt::Debug for RememberingChecker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RememberingChecker")
            .field("checker", &self.checker)
            .field("time", &self.time)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ropewalk_testing::Clock;

    use super::*;
    use crate::CredError;

    #[derive(Clone, Default)]
    struct Counting(Rc<Cell<usize>>);

    impl Checker for Counting {
        fn accepts(&self, _: &Credentials) -> bool {
            true
        }
        fn check(&self, reactor: &Handle, credentials: Credentials) -> Deferred<AvatarId> {
            self.0.set(self.0.get() + 1);
            match credentials {
                Credentials::UsernamePassword(shown) if shown.password == "tea" => {
                    Deferred::succeed(reactor, AvatarId::Name(shown.username))
                }
                _ => Deferred::fail(reactor, CredError::Unauthorized),
            }
        }
    }

    #[test]
    fn what_was_right_is_asked_for_once_and_what_was_wrong_each_time() {
        let (mut clock, counting) = (Clock::new(), Counting::default());
        let checker = RememberingChecker::new(counting.clone(), Duration::from_secs(60));
        for (name, password, seconds, asked) in [
            ("ann", "tea", 0, 1),
            ("ann", "tea", 59, 1),
            ("ann", "tee", 0, 2),
            ("ann", "tee", 0, 3),
            ("bob", "tea", 0, 4),
            ("ann", "tea", 2, 5),
        ] {
            clock.advance(Duration::from_secs(seconds));
            let is_right = password == "tea";
            let wanted = AvatarId::Name(name.into());
            checker
                .check(&clock, Credentials::password(name, password))
                .on_result(move |id| assert_eq!(id.ok(), is_right.then_some(wanted)));
            clock.settle();
            assert_eq!(counting.0.get(), asked, "{name} {password}");
        }
    }

    #[test]
    fn no_more_are_remembered_than_compared() {
        let (mut clock, counting) = (Clock::new(), Counting::default());
        let checker = RememberingChecker::new(counting, Duration::from_secs(60));
        for number in 0..2 * MOST_REMEMBERED {
            drop(checker.check(&clock, Credentials::password(number.to_string(), "tea")));
            clock.settle();
        }
        assert!(checker.remembered.borrow().len() <= MOST_REMEMBERED);
    }
}
