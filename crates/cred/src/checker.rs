//! Who judges credentials.

use ropewalk_core::{Deferred, Handle};

use crate::{AvatarId, CredError, Credentials};

/// Judges some kinds of credentials.
#[doc(alias = "ICredentialsChecker")]
pub trait Checker {
    /// Whether it judges credentials of that kind.
    #[doc(alias = "credentialInterfaces")]
    fn accepts(&self, credentials: &Credentials) -> bool;

    /// Who has shown them. It is asked only for what it accepts.
    ///
    /// It fails with [`CredError::Unauthorized`] for what proves nothing, which the portal counts, and with anything else if it cannot judge. It
    /// must not block; what takes long belongs into [`Handle::defer_to_thread`].
    #[doc(alias = "requestAvatarId")]
    fn check(&self, reactor: &Handle, credentials: Credentials) -> Deferred<AvatarId>;
}

/// Lets everybody in who shows nothing, as [`AvatarId::Anonymous`].
#[doc(alias = "AllowAnonymousAccess")]
#[derive(Clone, Copy, Debug, Default)]
pub struct AnonymousChecker;

impl Checker for AnonymousChecker {
    fn accepts(&self, credentials: &Credentials) -> bool {
        matches!(credentials, Credentials::Anonymous)
    }

    fn check(&self, reactor: &Handle, credentials: Credentials) -> Deferred<AvatarId> {
        match credentials {
            Credentials::Anonymous => Deferred::succeed(reactor, AvatarId::Anonymous),
            _ => Deferred::fail(reactor, CredError::Unsupported),
        }
    }
}
