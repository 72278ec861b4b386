//! The rules of multipart bodies that a peer can break.

use std::error::Error;
use std::fmt;

/// A rule was broken by the peer: which one, and where. Nothing more is read of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MultipartError {
    pub(super) rule: Rule,
    pub(super) offset: u64,
}

impl MultipartError {
    /// The rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Where in the body it was broken, counted from 0.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What a server answers: 413 where a limit was passed, else 400.
    pub fn status(&self) -> u16 {
        match self.rule {
            Rule::TooManyParts
            | Rule::HeadTooLarge
            | Rule::NameTooLong
            | Rule::PartTooLarge
            | Rule::TotalTooLarge => 413,
            _ => 400,
        }
    }
}

/// A rule of RFC 2046, RFC 7578 or of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// A body begins with the boundary, or with CRLF and the boundary (stricter than RFC 2046 5.1.1).
    Preamble,
    /// CRLF or `--` follows a boundary at once (RFC 2046 5.1.1).
    AfterBoundary,
    /// Nothing but CRLF follows the last boundary (stricter than RFC 2046 5.1.1).
    Epilogue,
    /// The body ends with the last boundary.
    Truncated,
    /// A field is a token, a colon and text, on one line that ends with CRLF (RFC 5322 2.2).
    Field,
    /// Heads are UTF-8 (RFC 7578 5.1).
    NotUtf8,
    /// `Content-Disposition` is a token and parameters, in a form `form-data` (RFC 7578 4.2).
    Disposition,
    /// `Content-Disposition` and `Content-Type` are there at most once, and so is each parameter.
    Repeated,
    /// A part of a form has a name (RFC 7578 4.2).
    NameMissing,
    /// `filename*` is `UTF-8''` and percent-encoded text without controls (RFC 8187 3.2).
    ExtendedFilename,
    /// The content is not encoded (RFC 7578 4.7).
    TransferEncoding,
    /// The number of parts has a limit ([`Limits::parts`](super::Limits::parts)).
    TooManyParts,
    /// A head has a limit ([`Limits::head_bytes`](super::Limits::head_bytes)).
    HeadTooLarge,
    /// A name has a limit ([`Limits::name_bytes`](super::Limits::name_bytes)).
    NameTooLong,
    /// A part's content has a limit ([`Limits::part_bytes`](super::Limits::part_bytes)).
    PartTooLarge,
    /// A body has a limit ([`Limits::total_bytes`](super::Limits::total_bytes)).
    TotalTooLarge,
}

impl Rule {
    /// The rule in words.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Preamble => "a body begins with its boundary, behind at most one CRLF",
            Self::AfterBoundary => "CRLF or -- follows a boundary at once",
            Self::Epilogue => "nothing but CRLF follows the last boundary",
            Self::Truncated => "the body ended before its last boundary",
            Self::Field => {
                "a field is a name, a colon and text without controls, on one line that ends with CRLF"
            }
            Self::NotUtf8 => "the head of a part is UTF-8",
            Self::Disposition => {
                "a Content-Disposition is form-data with ;name=token or ;name=\"text\""
            }
            Self::Repeated => "a field or parameter that may be there once is there twice",
            Self::NameMissing => "a part of a form has a Content-Disposition with a name",
            Self::ExtendedFilename => {
                "a filename* is UTF-8'' and percent-encoded UTF-8 without controls"
            }
            Self::TransferEncoding => "a Content-Transfer-Encoding is 7bit, 8bit or binary",
            Self::TooManyParts => {
                "there are more parts than are accepted; if so many are right, raise Limits::parts"
            }
            Self::HeadTooLarge => {
                "the head of a part is longer than is accepted; if such heads are right, raise Limits::head_bytes"
            }
            Self::NameTooLong => {
                "a name is longer than is accepted; if such names are right, raise Limits::name_bytes"
            }
            Self::PartTooLarge => {
                "a part is longer than is accepted; if such parts are right, raise Limits::part_bytes"
            }
            Self::TotalTooLarge => {
                "the body is longer than is accepted; if such bodies are right, raise Limits::total_bytes"
            }
        }
    }
}

impl fmt::Display for MultipartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (byte {} of the body)",
            self.rule.message(),
            self.offset
        )
    }
}

impl Error for MultipartError {}
