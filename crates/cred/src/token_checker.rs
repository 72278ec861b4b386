//! Tokens that are kept in memory.

use ropewalk_core::{Deferred, Failure, Handle};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{AvatarId, Checker, CredError, Credentials};

/// Knows some tokens, and whose they are.
///
/// All are compared, each in a time that does not tell where it differs (WS-06), so it is for tens of them; thousands belong in a database,
/// hashed. What can be told from the time is their number and length.
///
/// ```
/// use ropewalk_cred::{AvatarId, Checker, Credentials, TokenChecker};
/// use ropewalk_testing::Clock;
///
/// let mut clock = Clock::new();
/// let checker = TokenChecker::new().with_token("s3cret-of-the-build", "builder");
/// checker.check(&clock, Credentials::token("s3cret-of-the-build")).on_result(|id| {
///     assert_eq!(id.unwrap(), AvatarId::Name("builder".into()));
/// });
/// clock.settle();
/// ```
#[derive(Clone, Default)]
pub struct TokenChecker {
    tokens: Vec<(String, String)>,
}

impl TokenChecker {
    /// Knows none.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, knowing one more. Take at least 128 random bits; they are not slow to guess.
    ///
    /// # Panics
    ///
    /// If the token is empty: everybody has that one.
    #[must_use]
    pub fn with_token(mut self, token: impl Into<String>, user: impl Into<String>) -> Self {
        let token = token.into();
        assert!(
            !token.is_empty(),
            "TokenChecker::with_token: give a token of at least 128 random bits, not an empty one"
        );
        self.tokens.push((token, user.into()));
        self
    }

    fn owner(&self, token: &str) -> Option<&str> {
        let mut found = u64::MAX;
        for (index, (known, _)) in self.tokens.iter().enumerate() {
            let is_it: Choice = known.as_bytes().ct_eq(token.as_bytes());
            found.conditional_assign(&(index as u64), is_it);
        }
        let index = usize::try_from(found).ok()?;
        self.tokens.get(index).map(|(_, user)| &**user)
    }
}

impl Checker for TokenChecker {
    fn accepts(&self, credentials: &Credentials) -> bool {
        matches!(credentials, Credentials::BearerToken(_))
    }

    fn check(&self, reactor: &Handle, credentials: Credentials) -> Deferred<AvatarId> {
        let Credentials::BearerToken(token) = credentials else {
            return Deferred::fail(reactor, CredError::Unsupported);
        };
        let owner = self.owner(&token.0).map(|user| AvatarId::Name(user.into()));
        Deferred::settled(
            reactor,
            owner.ok_or_else(|| Failure::new(CredError::Unauthorized)),
        )
    }
}

/// Without the tokens.
impl std::fmt::Debug for TokenChecker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenChecker")
            .field("tokens", &self.tokens.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_06_only_whole_tokens_are_known() {
        let checker = TokenChecker::new()
            .with_token("abc", "ann")
            .with_token("xyz", "bob");
        assert_eq!(checker.owner("abc"), Some("ann"));
        assert_eq!(checker.owner("xyz"), Some("bob"));
        for odd in ["", "ab", "abcd", "ABC", "abz"] {
            assert_eq!(checker.owner(odd), None, "{odd}");
        }
        assert!(!format!("{checker:?}").contains("abc"));
    }
}
