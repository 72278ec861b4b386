//! Credentials: who says to be whom, what proves it, and what the proven one may use.
//!
//! ```text
//!   Credentials ──► Portal ── Checker ──► AvatarId ── Realm ──► avatar
//!    name, proof       └─ counts failures, by peer and by user       what the user may touch
//! ```
//!
//! For: logging in, over any protocol; a web server and a mail server share one portal. Not for: how credentials are asked for (a form, a
//! header, a prompt), or sessions.
//!
//! A [`Checker`] answers with a [`Deferred`](ropewalk_core::Deferred), so that it may ask a database or a thread. Passwords are hashed with argon2id in the
//! thread pool, never on the loop; unknown names take as long as wrong passwords; and whoever fails often must wait.
//!
//! ```
//! use std::rc::Rc;
//! use ropewalk_core::{Deferred, Handle};
//! use ropewalk_cred::{AvatarId, CredError, Credentials, PasswordChecker, PasswordCost, PasswordHash, PasswordTable, Portal};
//! use ropewalk_testing::Clock;
//!
//! let mut clock = Clock::new();
//! let cost = PasswordCost::dangerous_tiny(); // for tests; the default is right elsewhere
//! let hash = PasswordHash::of("tea time", *b"16 bytes of salt", cost)?;
//! let table = PasswordTable::new().with_user("ann", hash);
//!
//! // The realm says what a user gets; here, a greeting.
//! let realm = |reactor: &Handle, id: AvatarId| Deferred::succeed(reactor, format!("hello {id}"));
//! let portal = Portal::new(realm).with_checker(PasswordChecker::new(table));
//!
//! let right = portal.login(&clock, None, Credentials::password("ann", "tea time"));
//! let wrong = portal.login(&clock, None, Credentials::password("ann", "coffee"));
//! let told = Rc::new(std::cell::RefCell::new(Vec::new()));
//! for login in [right, wrong] {
//!     let told = told.clone();
//!     login.on_result(move |result| told.borrow_mut().push(result));
//! }
//! clock.settle();
//! assert_eq!(told.borrow()[0].as_ref().unwrap(), "hello ann");
//! let failure = told.borrow_mut().pop().unwrap().unwrap_err();
//! assert_eq!(failure.downcast_ref(), Some(&CredError::Unauthorized));
//! # Ok::<(), ropewalk_core::Failure>(())
//! ```

mod avatar_id;
mod checker;
mod cred_error;
mod credentials;
mod password_checker;
mod password_hash;
mod password_table;
mod portal;
mod remembering_checker;
mod token_checker;

pub use avatar_id::AvatarId;
pub use checker::{AnonymousChecker, Checker};
pub use cred_error::CredError;
pub use credentials::{BearerToken, Credentials, UsernamePassword};
pub use password_checker::PasswordChecker;
pub use password_hash::{NotAHash, PasswordCost, PasswordHash};
pub use password_table::{PasswordFileError, PasswordTable};
pub use portal::{Portal, Realm};
pub use remembering_checker::RememberingChecker;
pub use token_checker::TokenChecker;
