//! The boundary between parts.

use std::error::Error;
use std::fmt;

use super::parameter::{Parameter, unquoted};
use crate::Delimiter;

/// What stands between the parts of a body: 1 to 70 of the characters that RFC 2046 5.1.1 allows, the last not a space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// CR, LF, two dashes, and the boundary.
    pub(super) delimiter: Delimiter,
}

/// Why a text is no boundary, or a content type has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundaryError {
    /// The content type is not `multipart/…`.
    NotMultipart,
    /// The content type has no `boundary`.
    Missing,
    /// The content type has more than one.
    Repeated,
    /// The parameters of the content type are malformed at this byte.
    Malformed(usize),
    /// A boundary has 1 to 70 characters; this one has so many bytes.
    Length(usize),
    /// This byte of the boundary is not allowed in one, or not there.
    Character(usize),
}

const PREFIX: &[u8] = b"\r\n--";

impl Boundary {
    /// The boundary of this text.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn new(text: &str) -> Result<Self, BoundaryError> {
        let bytes = text.as_bytes();
        if !(1..=70).contains(&bytes.len()) {
            return Err(BoundaryError::Length(bytes.len()));
        }
        if let Some(at) = bytes.iter().position(|&byte| !is_allowed(byte)) {
            return Err(BoundaryError::Character(at));
        }
        if bytes.ends_with(b" ") {
            return Err(BoundaryError::Character(bytes.len() - 1));
        }
        Ok(Self::of_valid(bytes))
    }

    /// The boundary that a `Content-Type` names.
    ///
    /// # Errors
    ///
    /// When it is not a multipart type with one boundary.
    pub fn of_content_type(value: &str) -> Result<Self, BoundaryError> {
        let bytes = value.as_bytes();
        let end = value.find(';').unwrap_or(value.len());
        let is_multipart = bytes[..end]
            .split_first_chunk::<10>()
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(b"multipart/"));
        if !is_multipart {
            return Err(BoundaryError::NotMultipart);
        }
        let (mut found, mut at) = (None, end);
        while let Some(parameter) =
            Parameter::read(bytes, &mut at).map_err(BoundaryError::Malformed)?
        {
            if !bytes[parameter.name].eq_ignore_ascii_case(b"boundary") {
                continue;
            }
            if found.replace(&value[parameter.value]).is_some() {
                return Err(BoundaryError::Repeated);
            }
        }
        Self::new(&unquoted(found.ok_or(BoundaryError::Missing)?))
    }

    /// The boundary of 16 random bytes, which no content holds by accident, and none on purpose if they cannot be guessed.
    pub fn of_random(bytes: [u8; 16]) -> Self {
        let mut text = b"ropewalk-".to_vec();
        for byte in bytes {
            text.extend(
                [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]),
            );
        }
        Self::of_valid(&text)
    }

    /// The boundary itself.
    pub fn as_str(&self) -> &str {
        let text = &self.delimiter.as_bytes()[PREFIX.len()..];
        std::str::from_utf8(text).expect("it is of ASCII characters")
    }

    /// Whether `content` would be cut by this boundary.
    pub fn is_in(&self, content: &[u8]) -> bool {
        memchr::memmem::find(content, self.delimiter.as_bytes()).is_some()
            || content.starts_with(&self.delimiter.as_bytes()[2..])
    }

    fn of_valid(text: &[u8]) -> Self {
        let delimiter = Delimiter::new(&[PREFIX, text].concat()).expect("it is not empty");
        Self { delimiter }
    }
}

/// RFC 2046 5.1.1: bchars.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte)
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for BoundaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMultipart => f.write_str("the content type is not multipart"),
            Self::Missing => f.write_str("the content type has no boundary"),
            Self::Repeated => f.write_str("the content type has more than one boundary"),
            Self::Malformed(at) => write!(
                f,
                "the content type is malformed at byte {at}: parameters are ;name=token or ;name=\"text\""
            ),
            Self::Length(bytes) => {
                write!(f, "a boundary has 1 to 70 characters, this one has {bytes}")
            }
            Self::Character(at) => write!(
                f,
                "byte {at} of the boundary must be a letter, a digit, one of '()+_,-./:=? or, but not last, a space"
            ),
        }
    }
}

impl Error for BoundaryError {}
