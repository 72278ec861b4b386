//! What is wrong with an endpoint string, where, and what would be right.

use std::fmt;
use std::ops::Range;

use super::kind::Use;

/// An endpoint string that cannot be used.
///
/// Shown with `{}` it is one line, safe to log: control characters of the string are escaped. Shown with
/// `{:#}` two more lines repeat the string and point at the place.
///
/// ```
/// use ropewalk_core::endpoint::TcpServer;
///
/// let error = "tcp:8000:backlg=5".parse::<TcpServer>().unwrap_err();
/// assert_eq!(
///     format!("{error:#}"),
///     r#"bad endpoint "tcp:8000:backlg=5", byte 9: unknown option "backlg", did you mean "backlog"? known: interface, backlog, reuse_port
///   tcp:8000:backlg=5
///            ^^^^^^^^"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    text: String,
    place: Range<usize>,
    problem: EndpointProblem,
}

/// Which rule an endpoint string broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointProblem {
    /// The string does not begin with a type and a colon.
    NoType,
    /// The string ends with a backslash that quotes nothing.
    DanglingBackslash,
    /// A backslash stands before a character that needs none. Silently dropping it would change a path.
    NeedlessBackslash,
    /// A field, or a part of it behind a comma, begins with `[` and no `]` follows.
    OpenBracket,
    /// No endpoint type has this name.
    UnknownType {
        /// The whole string as it was probably meant.
        suggestion: Option<String>,
        /// The types there are for this use.
        known: Vec<String>,
        /// The types that are only for other uses.
        others: Vec<(Use, Vec<String>)>,
    },
    /// The type is for something else.
    Unsuitable {
        /// What it is wanted for.
        wanted: Use,
        /// What it is for.
        is_for: Vec<Use>,
        /// The types there are for what is wanted.
        known: Vec<String>,
    },
    /// More endpoints are inside each other than can mean anything.
    TooDeep,
    /// An argument that the type needs is not there.
    Missing {
        /// The argument.
        name: String,
        /// The right form of the string.
        form: String,
    },
    /// The same, and an argument that was taken for an option is probably it.
    Unquoted {
        /// The argument.
        name: String,
        /// The whole string as it was probably meant.
        suggestion: String,
    },
    /// There is one argument too many.
    Unexpected {
        /// The right form of the string.
        form: String,
    },
    /// The type has no option of this name.
    UnknownOption {
        /// The name as given.
        name: String,
        /// The option that was probably meant.
        suggestion: Option<String>,
        /// The options there are.
        known: Vec<String>,
    },
    /// An argument or option is given more than once.
    Repeated {
        /// Its name.
        name: String,
    },
    /// The value of an argument or option is not one that it can have.
    Wrong {
        /// Its name.
        name: String,
        /// What it must be.
        meaning: String,
        /// The whole string as it was probably meant.
        suggestion: Option<String>,
    },
    /// What an argument or option names is of no use, as it is now.
    Unusable {
        /// Why.
        why: String,
    },
}

impl EndpointError {
    pub(super) fn new(text: &str, place: Range<usize>, problem: EndpointProblem) -> Self {
        Self {
            text: text.to_owned(),
            place,
            problem,
        }
    }

    /// The whole string, as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of [`Self::text`] at fault. Empty where something is missing.
    #[must_use]
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// The rule that was broken.
    #[must_use]
    pub fn problem(&self) -> &EndpointProblem {
        &self.problem
    }

    fn fault(&self) -> &str {
        &self.text[self.place.clone()]
    }

    fn explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EndpointProblem as P;
        let fault = shown(self.fault());
        match &self.problem {
            P::NoType => f.write_str("an endpoint begins with its type, as in tcp:127.0.0.1:8000"),
            P::DanglingBackslash => f.write_str(r"nothing follows the backslash, write \\ for one"),
            P::NeedlessBackslash => {
                f.write_str(r"a backslash quotes only : = [ ] and \, write \\ for one")
            }
            P::OpenBracket => f.write_str(r"no ] closes this bracket, write \[ for a plain one"),
            P::UnknownType {
                suggestion,
                known,
                others,
            } => {
                write!(f, "unknown type \"{fault}\"")?;
                suggest(f, suggestion.as_ref(), known)?;
                others.iter().try_for_each(|(other, names)| {
                    write!(f, "; only {other}: {}", names.join(", "))
                })
            }
            P::Unsuitable {
                wanted,
                is_for,
                known,
            } => {
                let uses: Vec<String> = is_for.iter().map(ToString::to_string).collect();
                write!(f, "\"{fault}\" is {}, not {wanted}", uses.join(" and "))?;
                suggest(f, None, known)
            }
            P::TooDeep => f.write_str("too many endpoints are inside each other, leave some out"),
            P::Missing { name, form } => write!(f, "{name} is missing, write {form}"),
            P::Unquoted { name, suggestion } => {
                let suggestion = shown(suggestion);
                write!(f, "{name} is missing, did you mean \"{suggestion}\"? ")?;
                f.write_str("an = in it is quoted by a backslash")
            }
            P::Unexpected { form } => write!(f, "\"{fault}\" is too much, write {form}"),
            P::UnknownOption {
                name,
                suggestion,
                known,
            } => {
                write!(f, "unknown option \"{}\"", shown(name))?;
                suggest(f, suggestion.as_ref(), known)
            }
            P::Repeated { name } => write!(f, "{} is given twice, leave one out", shown(name)),
            P::Unusable { why } => write!(f, "\"{fault}\": {}", shown(why)),
            P::Wrong {
                name,
                meaning,
                suggestion,
            } => {
                write!(f, "\"{fault}\": {name} must be {meaning}")?;
                did_you_mean(f, suggestion.as_ref())
            }
        }
    }

    /// The string on a line of its own, and carets under the fault.
    fn point(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = shown(&self.text[..self.place.start]).chars().count();
        let fault = shown(self.fault()).chars().count().max(1);
        let (indent, carets) = (" ".repeat(before), "^".repeat(fault));
        write!(f, "\n  {}\n  {indent}{carets}", shown(&self.text))
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "bad endpoint \"{}\", byte {}: ",
            shown(&self.text),
            self.place.start
        )?;
        self.explain(f)?;
        if f.alternate() { self.point(f) } else { Ok(()) }
    }
}

impl std::error::Error for EndpointError {}

fn did_you_mean(f: &mut fmt::Formatter<'_>, suggestion: Option<&String>) -> fmt::Result {
    match suggestion {
        Some(meant) => write!(f, ", did you mean \"{}\"?", shown(meant)),
        None => Ok(()),
    }
}

fn suggest(
    f: &mut fmt::Formatter<'_>,
    suggestion: Option<&String>,
    known: &[String],
) -> fmt::Result {
    did_you_mean(f, suggestion)?;
    if suggestion.is_none() {
        f.write_str(",")?;
    }
    match known {
        [] => f.write_str(" there are none"),
        known => write!(f, " known: {}", known.join(", ")),
    }
}

/// The text with what would break or colour a terminal's line escaped; quotes and backslashes stay.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '"' | '\'' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let problem = EndpointProblem::Wrong {
            name: "host".into(),
            meaning: "a host".into(),
            suggestion: None,
        };
        let error = EndpointError::new("tcp:a\n\u{1b}[31m:80", 4..11, problem);
        assert_eq!(
            error.to_string(),
            r#"bad endpoint "tcp:a\n\u{1b}[31m:80", byte 4: "a\n\u{1b}[31m": host must be a host"#
        );
    }

    #[test]
    fn carets_stand_under_the_fault() {
        let error = EndpointError::new("é:\n:b", 5..6, EndpointProblem::OpenBracket);
        let text = format!("{error:#}");
        assert!(text.ends_with("\n  é:\\n:b\n       ^"), "{text}");
    }

    #[test]
    fn an_empty_place_still_has_a_caret() {
        let error = EndpointError::new("", 0..0, EndpointProblem::NoType);
        assert!(format!("{error:#}").ends_with("\n  \n  ^"));
    }
}
