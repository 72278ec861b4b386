//! Checking passwords, in the thread pool.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ropewalk_core::{Deferred, Failure, Handle};

use crate::{
    AvatarId, Checker, CredError, Credentials, PasswordFileError, PasswordHash, PasswordTable,
    UsernamePassword,
};

/// Knows the hashes of passwords. Clones share them.
///
/// Each check is a job in the thread pool, so the loop never waits. A name that nobody has costs a check too, against a hash of the same table,
/// so that the time does not tell which names there are; let all hashes have one cost.
#[doc(alias = "InMemoryUsernamePasswordDatabaseDontUse")]
#[derive(Clone, Debug)]
pub struct PasswordChecker {
    table: Rc<RefCell<PasswordTable>>,
    path: Option<PathBuf>,
    /// Checks that are begun or wait.
    running: Rc<Cell<usize>>,
}

/// More checks do not wait, or whoever sends passwords faster than they are hashed fills the memory with them and keeps all others waiting.
const MOST_RUNNING: usize = 64;

/// Longer passwords are not hashed: nobody types them, and each would cost its bytes as long as it waits.
const MOST_PASSWORD_BYTES: usize = 1024;

/// What is compared while there is no user at all: it has the default cost, and no password.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

impl PasswordChecker {
    /// Knows these users.
    pub fn new(table: PasswordTable) -> Self {
        Self {
            table: Rc::new(RefCell::new(table)),
            path: None,
            running: Rc::default(),
        }
    }

    /// Knows the users of a file (see [`PasswordTable::read`]). It blocks: call it before the reactor runs.
    ///
    /// # Errors
    ///
    /// When the file cannot be used.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PasswordFileError> {
        let path = path.as_ref();
        Ok(Self {
            path: Some(path.to_owned()),
            ..Self::new(PasswordTable::read(path)?)
        })
    }

    /// Reads its file anew, in the thread pool. If that fails, all stays as it was. Without a file it does nothing.
    pub fn reload(&self, reactor: &Handle) -> Deferred<()> {
        let Some(path) = self.path.clone() else {
            return Deferred::succeed(reactor, ());
        };
        let table = Rc::clone(&self.table);
        reactor
            .defer_to_thread(move || Ok(PasswordTable::read(path)?))
            .add_callback(move |read| {
                table.replace(read);
                Ok(())
            })
    }

    /// The hash to compare with, and whether it is the user's.
    fn hash_for(&self, name: &str) -> (PasswordHash, bool) {
        let table = self.table.borrow();
        match (table.hash(name), table.sample()) {
            (Some(hash), _) => (hash.clone(), true),
            (None, Some(other)) => (other.clone(), false),
            (None, None) => (DECOY.parse().expect("it is a hash"), false),
        }
    }

    fn verify(&self, reactor: &Handle, credentials: UsernamePassword) -> Deferred<AvatarId> {
        let UsernamePassword { username, password } = credentials;
        let (hash, is_known) = self.hash_for(&username);
        let running = Rc::clone(&self.running);
        running.set(running.get() + 1);
        let job = reactor.defer_to_thread(move || Ok(hash.verify(&password) & is_known));
        job.add_both(move |result| {
            running.set(running.get() - 1);
            match result? {
                true => Ok(AvatarId::Name(username)),
                false => Err(Failure::new(CredError::Unauthorized)),
            }
        })
    }
}

impl Checker for PasswordChecker {
    fn accepts(&self, credentials: &Credentials) -> bool {
        matches!(credentials, Credentials::UsernamePassword(_))
    }

    fn check(&self, reactor: &Handle, credentials: Credentials) -> Deferred<AvatarId> {
        match credentials {
            Credentials::UsernamePassword(credentials) => {
                if credentials.password.len() > MOST_PASSWORD_BYTES {
                    Deferred::fail(reactor, CredError::Unauthorized)
                } else if self.running.get() >= MOST_RUNNING {
                    Deferred::fail(reactor, CredError::Busy)
                } else {
                    self.verify(reactor, credentials)
                }
            }
            _ => Deferred::fail(reactor, CredError::Unsupported),
        }
    }
}
