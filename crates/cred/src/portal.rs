//! The door: finds who judges, counts failures, and asks the realm for what the user gets.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::failure::Cancelled;
use ropewalk_core::{Deferred, Failure, Handle};
use ropewalk_protocols::{PeerKey, RateLimit};

use crate::{AvatarId, Checker, CredError, Credentials};

/// Gives avatars: what the proven one may use. A function is a realm.
#[doc(alias = "IRealm")]
pub trait Realm {
    /// What a user gets: a resource, a mailbox, a shell.
    type Avatar: 'static;

    /// The avatar of somebody who has proven to be that one.
    #[doc(alias = "requestAvatar")]
    fn avatar(&self, reactor: &Handle, id: AvatarId) -> Deferred<Self::Avatar>;
}

impl<F, A> Realm for F
where
    F: Fn(&Handle, AvatarId) -> Deferred<A>,
    A: 'static,
{
    type Avatar = A;

    fn avatar(&self, reactor: &Handle, id: AvatarId) -> Deferred<A> {
        self(reactor, id)
    }
}

/// Where one logs in. Clones are the same door.
pub struct Portal<R: Realm> {
    realm: Rc<R>,
    checkers: Vec<Rc<dyn Checker>>,
    failures: Rc<Failures>,
}

/// Tokens are taken before a check, so that many at once gain nothing, and given back unless it was a failure.
struct Failures {
    peers: RefCell<RateLimit<PeerKey>>,
    /// By a hash of the name, as names are as long as a peer likes.
    users: RefCell<RateLimit<u64>>,
    hasher: RandomState,
}

/// What was taken for one attempt.
#[derive(Clone, Copy)]
struct Attempt {
    peer: PeerKey,
    user: Option<u64>,
}

impl<R: Realm + 'static> Portal<R> {
    /// A door to that realm, with nobody to judge yet. A peer may fail 10 times and then once every 6 s; for one user there may be 30 failures,
    /// by all peers together, and then one every 2 s.
    ///
    /// The limit per user slows down who guesses from many addresses. It also lets them keep the user out for as long as they go on; so it is
    /// the looser one.
    pub fn new(realm: R) -> Self {
        Self {
            realm: Rc::new(realm),
            checkers: Vec::new(),
            failures: Rc::new(Failures {
                peers: RefCell::new(RateLimit::new(10, Duration::from_secs(6))),
                users: RefCell::new(RateLimit::new(30, Duration::from_secs(2))),
                hasher: RandomState::new(),
            }),
        }
    }

    /// The same, with one more to judge; of those that accept some credentials the first does.
    #[doc(alias = "registerChecker")]
    #[must_use]
    pub fn with_checker(mut self, checker: impl Checker + 'static) -> Self {
        self.checkers.push(Rc::new(checker));
        self
    }

    /// The same, with other limits on failures, and none counted yet.
    #[must_use]
    pub fn with_failure_limits(
        mut self,
        per_peer: RateLimit<PeerKey>,
        per_user: RateLimit<u64>,
    ) -> Self {
        self.failures = Rc::new(Failures {
            peers: RefCell::new(per_peer),
            users: RefCell::new(per_user),
            hasher: RandomState::new(),
        });
        self
    }

    /// Logs in: the avatar, or a [`CredError`], or what went wrong in a checker or the realm.
    ///
    /// `peer` is who tries, as far as it has an address; behind a proxy, the address that the proxy tells.
    pub fn login(
        &self,
        reactor: &Handle,
        peer: Option<IpAddr>,
        credentials: Credentials,
    ) -> Deferred<R::Avatar> {
        let accepts = |checker: &&Rc<dyn Checker>| checker.accepts(&credentials);
        let Some(checker) = self.checkers.iter().find(accepts) else {
            return Deferred::fail(reactor, CredError::Unsupported);
        };
        let attempt = Attempt {
            peer: peer.map(PeerKey::from).unwrap_or_default(),
            user: credentials
                .username()
                .map(|name| self.failures.hasher.hash_one(name)),
        };
        if let Err(wait) = self.failures.take(attempt, reactor.now()) {
            return Deferred::fail(reactor, CredError::TooManyFailures(wait));
        }
        let (failures, realm) = (Rc::clone(&self.failures), Rc::clone(&self.realm));
        let reactor_later = reactor.clone();
        checker
            .check(reactor, credentials)
            .add_both(move |result| {
                if !is_failure(&result) {
                    failures.give_back(attempt);
                }
                result
            })
            .add_callback(move |id| realm.avatar(&reactor_later, id))
    }
}

impl Failures {
    fn take(&self, attempt: Attempt, now: Duration) -> Result<(), Duration> {
        self.peers.borrow_mut().take(attempt.peer, now)?;
        let Some(user) = attempt.user else {
            return Ok(());
        };
        let taken = self.users.borrow_mut().take(user, now);
        if taken.is_err() {
            self.peers.borrow_mut().give_back(attempt.peer);
        }
        taken
    }

    fn give_back(&self, attempt: Attempt) {
        self.peers.borrow_mut().give_back(attempt.peer);
        if let Some(user) = attempt.user {
            self.users.borrow_mut().give_back(user);
        }
    }
}

/// Whether an attempt counts. One that its owner gave up does: else one could try for nothing and leave before the answer.
fn is_failure(result: &Result<AvatarId, Failure>) -> bool {
    result.as_ref().is_err_and(|failure| {
        failure.is::<Cancelled>()
            || failure.downcast_ref::<CredError>() == Some(&CredError::Unauthorized)
    })
}

impl<R: Realm> Clone for Portal<R> {
    fn clone(&self) -> Self {
        Self {
            realm: Rc::clone(&self.realm),
            checkers: self.checkers.clone(),
            failures: Rc::clone(&self.failures),
        }
    }
}

impl<R: Realm> fmt::Debug for Portal<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Portal")
            .field("checkers", &self.checkers.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
