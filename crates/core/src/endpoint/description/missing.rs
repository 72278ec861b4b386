//! What to say when an argument is not there: it may have been taken for an option.

use std::ops::Range;

use super::super::error::{EndpointError, EndpointProblem};
use super::super::nearest::nearest;
use super::super::syntax::{Argument, quote};
use super::Description;

impl Description {
    /// The error for an argument or option that must be there and is not.
    #[must_use]
    pub fn missing(&self, name: &str) -> EndpointError {
        let end = self.text.len();
        let (place, problem) = self.mistaken(name).unwrap_or_else(|| {
            let problem = EndpointProblem::Missing {
                name: name.to_owned(),
                form: self.right_form(),
            };
            (end..end, problem)
        });
        self.error(place, problem)
    }

    /// The first argument whose name nobody can have meant as one: `/srv/a` in `unix:/srv/a=b`, or `prot` in `tcp:prot=80`.
    fn mistaken(&self, wanted: &str) -> Option<(Range<usize>, EndpointProblem)> {
        self.left().find_map(|argument| {
            let name = &argument.name.as_ref()?.text;
            let problem = if is_no_word(name) {
                self.unquoted(argument, wanted)?
            } else {
                let known = [wanted.to_owned()];
                let meant = nearest(name, &known)?.to_owned();
                EndpointProblem::UnknownOption {
                    name: name.clone(),
                    suggestion: Some(meant),
                    known: known.into(),
                }
            };
            Some((argument.place(), problem))
        })
    }

    /// The same string with the `=` quoted.
    fn unquoted(&self, argument: &Argument, wanted: &str) -> Option<EndpointProblem> {
        let (before, rest) = self.text.split_at(argument.name.as_ref()?.place.end);
        Some(EndpointProblem::Unquoted {
            name: wanted.to_owned(),
            suggestion: format!("{before}\\{rest}"),
        })
    }

    /// The error for an argument that was taken and that the type does not have.
    pub(in super::super) fn superfluous(&self, name: &str) -> EndpointError {
        let place = self.taken(name).map(Argument::place);
        let form = self.right_form();
        self.error(place, EndpointProblem::Unexpected { form })
    }

    pub(super) fn right_form(&self) -> String {
        let asked = || {
            let names = self.positionals.iter().map(|name| name.to_uppercase());
            names.fold(quote(self.kind()), |form, name| format!("{form}:{name}"))
        };
        self.form.clone().unwrap_or_else(asked)
    }
}

/// Whether it is no name that an option has.
fn is_no_word(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    name.is_empty() || !name.bytes().all(is_letter)
}

#[cfg(test)]
mod tests {
    use crate::endpoint::{ClientEndpoint, ServerEndpoint};

    #[test]
    fn r113_an_unquoted_equals_sign_is_pointed_at() {
        let error = "unix:/srv/a=b:mode=600".listening().unwrap_err();
        assert_eq!(error.place(), 5..13);
        let said = r#"path is missing, did you mean "unix:/srv/a\=b:mode=600"? an = in it"#;
        assert!(error.to_string().contains(said), "{error}");
        r"unix:/srv/a\=b:mode=600".listening().unwrap();
        "unix:path=/srv/a=b".listening().unwrap();
    }

    #[test]
    fn r113_a_mistyped_name_of_an_argument_is_pointed_at() {
        let error = "tcp:host=localhost:prot=80".destination().unwrap_err();
        assert_eq!(error.place(), 19..26);
        let said = error.to_string();
        assert!(
            said.contains(r#"unknown option "prot", did you mean "port"?"#),
            "{said}"
        );
        let error = "unix:mode=600".listening().unwrap_err().to_string();
        assert!(
            error.contains("path is missing, write unix:PATH"),
            "{error}"
        );
    }
}
