//! Names of fields, written as they are customarily sent (R139).

use std::fmt;

use http::HeaderName;
use ropewalk_grammar::http1::{Name, SendName};

use crate::header_error::HeaderError;

/// The name of a header: one that is known, or one of your own, which is sent as `X-Like-This`.
///
/// Made from a [`Name`], from text, or from an [`http::HeaderName`]; compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Known(Name),
    Other(Box<str>),
}

impl FieldName {
    /// The name, as it is sent.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Kind::Known(name) => name.as_str(),
            Kind::Other(text) => text,
        }
    }

    /// Its number, if it is known.
    pub fn known(&self) -> Option<Name> {
        match self.0 {
            Kind::Known(name) => Some(name),
            Kind::Other(_) => None,
        }
    }

    pub(crate) const fn of_known(name: Name) -> Self {
        Self(Kind::Known(name))
    }

    fn of_token(text: &str) -> Self {
        match Name::of(text.as_bytes()) {
            Some(name) => Self(Kind::Known(name)),
            None => Self(Kind::Other(canonical(text))),
        }
    }
}

/// The first letter and those behind hyphens are large, all others small.
fn canonical(text: &str) -> Box<str> {
    let mut begins = true;
    let letters = text.chars().map(|letter| {
        let large = std::mem::replace(&mut begins, letter == '-');
        match large {
            true => letter.to_ascii_uppercase(),
            false => letter.to_ascii_lowercase(),
        }
    });
    letters.collect::<String>().into()
}

impl From<Name> for FieldName {
    fn from(name: Name) -> Self {
        Self::of_known(name)
    }
}

impl From<HeaderName> for FieldName {
    fn from(name: HeaderName) -> Self {
        Self::of_token(name.as_str())
    }
}

impl TryFrom<&str> for FieldName {
    type Error = HeaderError;

    fn try_from(text: &str) -> Result<Self, HeaderError> {
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(_) => Ok(Self::of_token(text)),
            Err(_) => Err(HeaderError::name(text)),
        }
    }
}

impl From<&Self> for FieldName {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl AsRef<[u8]> for FieldName {
    fn as_ref(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

impl SendName for FieldName {
    fn known(&self) -> Option<Name> {
        Self::known(self)
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r139_names_are_sent_canonically_and_compared_without_case() {
        let own = FieldName::try_from("x-reQuest-tag").unwrap();
        assert_eq!(own.as_str(), "X-Request-Tag");
        assert_eq!(own, FieldName::try_from("X-REQUEST-TAG").unwrap());
        assert_eq!(
            FieldName::try_from("etag").unwrap(),
            FieldName::from(Name::Etag)
        );
        assert!(FieldName::try_from("no space").is_err());
    }
}
