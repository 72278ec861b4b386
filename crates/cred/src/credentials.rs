//! What somebody shows to be let in.

use std::any::Any;
use std::fmt;

/// Who somebody says to be, and the proof. Secrets are never shown by `Debug`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Credentials {
    /// None.
    #[doc(alias = "IAnonymous")]
    Anonymous,
    /// A name and a password.
    #[doc(alias = "IUsernamePassword")]
    UsernamePassword(UsernamePassword),
    /// A token that says both (RFC 6750).
    BearerToken(BearerToken),
    /// Something of your own, for a checker of your own.
    Other(Box<dyn Any>),
}

/// A name and a password, as they were given.
#[derive(Clone, PartialEq, Eq)]
pub struct UsernamePassword {
    /// Who it is said to be.
    pub username: String,
    /// What only that one should know.
    pub password: String,
}

/// A token, as it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(pub String);

impl Credentials {
    /// A name and a password.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::UsernamePassword(UsernamePassword {
            username: username.into(),
            password: password.into(),
        })
    }

    /// A token.
    pub fn token(token: impl Into<String>) -> Self {
        Self::BearerToken(BearerToken(token.into()))
    }

    /// The name of the user, if it is said in clear.
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::UsernamePassword(credentials) => Some(&credentials.username),
            _ => None,
        }
    }
}

impl fmt::Debug for UsernamePassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UsernamePassword")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        for credentials in [
            Credentials::password("ann", "hush"),
            Credentials::token("hush"),
        ] {
            assert!(!format!("{credentials:?}").contains("hush"));
        }
    }
}
