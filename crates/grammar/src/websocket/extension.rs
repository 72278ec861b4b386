//! Lists in the fields of the handshake (RFC 6455 9.1, RFC 9110 5.6), read in one pass.

use std::error::Error;
use std::fmt;

/// An extension as it was offered or agreed to: a name and parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The name.
    pub name: &'a str,
    parameters: &'a str,
}

/// Why an extension is neither offered nor agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionError {
    /// This is no extension: a token, and parameters behind semicolons (WS-05).
    Malformed(Box<str>),
    /// Compression is a matter of its own, which the encoder and the decoder must know of.
    Compression,
    /// The client did not offer it (RFC 6455 9.1).
    NotOffered(Box<str>),
    /// It was offered or agreed to before.
    Twice(Box<str>),
}

/// A parameter of an extension, and its value, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name.
    pub name: &'a str,
    /// The value, without quotes.
    pub value: Option<&'a str>,
}

impl<'a> Extension<'a> {
    /// The extensions in the value of one field; `None` stands for what is none.
    pub fn parse(value: &'a [u8]) -> impl Iterator<Item = Option<Self>> {
        let text = std::str::from_utf8(value).ok();
        let items = text.map(|text| text.split(',').map(|item| item.trim_matches(BLANKS)));
        items
            .into_iter()
            .flatten()
            .filter(|item| !item.is_empty())
            .map(Self::of)
            .chain(text.is_none().then_some(None))
    }

    /// The one extension in `text`, which is to be offered or agreed to: `x-trace; level=2`.
    ///
    /// # Errors
    ///
    /// It is none, or more than one, or permessage-deflate.
    pub fn one(text: &'a str) -> Result<Self, ExtensionError> {
        let mut all = Self::parse(text.as_bytes());
        match (all.next().flatten(), all.next()) {
            (Some(one), None) if one.name == COMPRESSION => Err(ExtensionError::Compression),
            (Some(one), None) => Ok(one),
            _ => Err(ExtensionError::Malformed(text.into())),
        }
    }

    fn of(item: &'a str) -> Option<Self> {
        let (name, parameters) = match item.split_once(';') {
            Some((name, parameters)) => (name.trim_end_matches(BLANKS), Some(parameters)),
            None => (item, None),
        };
        let this = Self {
            name,
            parameters: parameters.unwrap_or_default(),
        };
        let is_right = match parameters {
            None => true,
            Some(_) => this.read_parameters().all(|parameter| parameter.is_some()),
        };
        (is_token(name) && is_right).then_some(this)
    }

    /// Its parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + use<'a> {
        let none = self.parameters.is_empty();
        let all = (!none).then(|| self.read_parameters());
        all.into_iter().flatten().flatten()
    }

    fn read_parameters(&self) -> impl Iterator<Item = Option<Parameter<'a>>> + use<'a> {
        self.parameters.split(';').map(|parameter| {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value.trim_matches(BLANKS))),
                None => (parameter, None),
            };
            let name = name.trim_matches(BLANKS);
            let unquoted = value.map(|value| {
                let inside = value
                    .strip_prefix('"')
                    .and_then(|rest| rest.strip_suffix('"'));
                inside.unwrap_or(value)
            });
            let is_right = is_token(name) && unquoted.is_none_or(is_token);
            is_right.then_some(Parameter {
                name,
                value: unquoted,
            })
        })
    }
}

impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As it is sent.
impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        for Parameter { name, value } in self.parameters() {
            match value {
                Some(value) => write!(f, "; {name}={value}")?,
                None => write!(f, "; {name}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => write!(
                f,
                "{text:?} is no extension: give a name and parameters, all of them tokens, as in 'x-trace; level=2'"
            ),
            Self::Compression => {
                f.write_str("permessage-deflate is agreed on by the options' deflate, not by name")
            }
            Self::NotOffered(name) => {
                write!(
                    f,
                    "the client did not offer the extension '{name}': agree to what it offers"
                )
            }
            Self::Twice(name) => write!(f, "the extension '{name}' is there already"),
        }
    }
}

impl Error for ExtensionError {}

/// The one extension that the grammar knows (RFC 7692).
pub(super) const COMPRESSION: &str = "permessage-deflate";

const BLANKS: [char; 2] = [' ', '\t'];

/// Whether `text` is a token (RFC 9110 5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let is_mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    let mut bytes = text.bytes();
    !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
}

/// The tokens in the value of one field; `None` for what is none.
pub(super) fn tokens(value: &[u8]) -> impl Iterator<Item = Option<&str>> {
    value
        .split(|&byte| byte == b',')
        .map(|item| item.trim_ascii())
        .filter(|item| !item.is_empty())
        .map(|item| {
            std::str::from_utf8(item)
                .ok()
                .filter(|token| is_token(token))
        })
}
