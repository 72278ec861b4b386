//! The syntax of endpoint strings: fields, their quoting, and the reader that cuts them (SEMANTICS 113).

use std::ops::Range;

use super::error::{EndpointError, EndpointProblem};

/// Quotes a text so that it can stand as one argument, name or value of an endpoint string.
///
/// ```
/// use ropewalk_core::endpoint::quote;
///
/// assert_eq!(quote("/var/run/a:b=c"), r"/var/run/a\:b\=c");
/// assert_eq!(quote("[::1]"), "[::1]");
/// ```
#[doc(alias = "quoteStringArgument")]
#[must_use]
pub fn quote(text: &str) -> String {
    if is_bracketed(text) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if ":=\\".contains(character) || (character == '[' && opens(&text[..at])) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

/// Whether a `[` behind this begins text up to `]`: the first of a field, and of each part of a list
/// (`from=10.0.0.0/8,[fd00::]/8`).
fn opens(before: &str) -> bool {
    before.is_empty() || before.ends_with(',')
}

/// What a backslash may quote. Before anything else it is more likely part of a path than a slip.
const QUOTABLE: &str = r":=\[]";

/// Whether the text is one pair of brackets with nothing inside that ends it or needs quoting.
fn is_bracketed(text: &str) -> bool {
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| !inside.contains([']', '\\']))
}

/// A piece of the string without its quoting, and the bytes it came from.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) text: String,
    pub(super) place: Range<usize>,
}

/// One argument, with its name if it has one.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: Option<Field>,
    pub(super) value: Field,
    /// The name under which it was asked for.
    pub(super) taken: Option<String>,
}

impl Argument {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name.as_ref().is_some_and(|field| field.text == name)
    }

    pub(super) fn place(&self) -> Range<usize> {
        self.name.as_ref().unwrap_or(&self.value).place.start..self.value.place.end
    }
}

/// Reads fields from left to right.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// One argument, and the colon that ended it, if one did.
    pub(super) fn argument(&mut self) -> Result<(Argument, Option<char>), EndpointError> {
        let (first, end) = self.field(":=")?;
        if end != Some('=') {
            return Ok((
                Argument {
                    name: None,
                    value: first,
                    taken: None,
                },
                end,
            ));
        }
        // A later `=` is text: `path=/srv/a=b` needs no quoting (SEMANTICS 113).
        let (value, end) = self.field(":")?;
        Ok((
            Argument {
                name: Some(first),
                value,
                taken: None,
            },
            end,
        ))
    }

    /// The text up to one of `stops` or to the end, and which it was.
    pub(super) fn field(&mut self, stops: &str) -> Result<(Field, Option<char>), EndpointError> {
        let start = self.at;
        let (mut text, mut in_brackets) = (String::new(), false);
        while let Some(character) = self.next() {
            let at = self.at - character.len_utf8();
            match character {
                '\\' => {
                    text.push(self.quoted()?);
                    continue;
                }
                '[' if opens(&text) => in_brackets = true,
                ']' => in_brackets = false,
                _ if !in_brackets && stops.contains(character) => {
                    return Ok((
                        Field {
                            text,
                            place: start..at,
                        },
                        Some(character),
                    ));
                }
                _ => {}
            }
            text.push(character);
        }
        if in_brackets {
            return Err(self.error(start..self.at, EndpointProblem::OpenBracket));
        }
        Ok((
            Field {
                text,
                place: start..self.at,
            },
            None,
        ))
    }

    /// The character behind a backslash.
    fn quoted(&mut self) -> Result<char, EndpointError> {
        let start = self.at - 1;
        match self.next() {
            None => Err(self.error(start..self.at, EndpointProblem::DanglingBackslash)),
            Some(character) if QUOTABLE.contains(character) => Ok(character),
            Some(_) => Err(self.error(start..self.at, EndpointProblem::NeedlessBackslash)),
        }
    }

    fn next(&mut self) -> Option<char> {
        let character = self.text[self.at..].chars().next()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn error(&self, place: Range<usize>, problem: EndpointProblem) -> EndpointError {
        EndpointError::new(self.text, place, problem)
    }
}
