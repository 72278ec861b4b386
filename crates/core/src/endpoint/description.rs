//! The parsed form of an endpoint string, from which an endpoint type takes what it knows.

mod missing;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::error::{EndpointError, EndpointProblem};
use super::kind::Use;
use super::nearest::{elsewhere, nearest};
use super::syntax::{Argument, Field, Reader, quote};
use super::value::Value;

/// An endpoint string, taken apart: its type, its arguments in order, its options by name.
///
/// An endpoint type *takes* what it knows and then calls [`finish`](Self::finish), which complains about
/// whatever nobody took. So a mistyped option is never silently ignored, and the list of known options in
/// the error is true because it is the list of those asked for:
///
/// ```
/// use ropewalk_core::endpoint::{Description, EndpointError};
///
/// struct Unix { path: String, mode: u32 }
///
/// fn unix(mut description: Description) -> Result<Unix, EndpointError> {
///     description.set_form("unix:PATH");
///     let path = description.positional("path")?;
///     let mode = description.option("mode")?.unwrap_or(0o666);
///     description.finish()?;
///     Ok(Unix { path, mode })
/// }
///
/// let error = unix(Description::parse(r"unix:/run/chat\:1:moed=600")?).err().unwrap();
/// assert!(error.to_string().contains(r#"unknown option "moed", did you mean "mode"?"#));
/// # Ok::<(), EndpointError>(())
/// ```
///
/// Shown, it is the string again, to the byte.
#[derive(Clone, Debug)]
pub struct Description {
    /// The whole string, also of an inner one, so that errors point into what was given.
    text: String,
    kind: Field,
    arguments: Vec<Argument>,
    /// How many others are around this one.
    depth: u32,
    form: Option<String>,
    positionals: Vec<String>,
    options: Vec<String>,
}

/// So many endpoints inside each other mean something; more are a mistake, or an attack on the stack by who writes strings.
const DEEPEST: u32 = 8;

impl Description {
    /// Takes an endpoint string apart. Which types, arguments and options there are is not looked at.
    ///
    /// # Errors
    ///
    /// When the string has no type, a backslash quotes nothing, or a bracket stays open.
    #[doc(alias = "serverFromString")]
    #[doc(alias = "clientFromString")]
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let mut reader = Reader::new(text);
        let (kind, mut end) = reader.field(":=")?;
        if kind.text.is_empty() || end == Some('=') {
            return Err(EndpointError::new(
                text,
                0..kind.place.end,
                EndpointProblem::NoType,
            ));
        }
        let mut description = Self::of(text.to_owned(), kind);
        while end.is_some() {
            let argument;
            (argument, end) = reader.argument()?;
            description.arguments.push(argument);
        }
        Ok(description)
    }

    /// The beginning of an endpoint string of this type, to be completed by
    /// [`with_argument`](Self::with_argument) and [`with_option`](Self::with_option).
    ///
    /// ```
    /// use ropewalk_core::endpoint::Description;
    ///
    /// let unix = Description::new("unix").with_argument("/run/a:b").with_option("mode", "600");
    /// assert_eq!(unix.to_string(), r"unix:/run/a\:b:mode=600");
    /// ```
    ///
    /// # Panics
    ///
    /// When `kind` is empty.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        assert!(
            !kind.is_empty(),
            "Description::new needs a type, such as \"tcp\""
        );
        let text = quote(kind);
        let place = 0..text.len();
        Self::of(
            text,
            Field {
                text: kind.to_owned(),
                place,
            },
        )
    }

    /// The same with one more argument.
    #[must_use]
    pub fn with_argument(mut self, value: &str) -> Self {
        self.text.push(':');
        let value = self.append(value);
        self.arguments.push(Argument {
            name: None,
            value,
            taken: None,
        });
        self
    }

    /// The same with one more option.
    ///
    /// # Panics
    ///
    /// When it has that option already.
    #[must_use]
    pub fn with_option(mut self, name: &str, value: &str) -> Self {
        let twice = self
            .arguments
            .iter()
            .any(|argument| argument.is_named(name));
        assert!(
            !twice,
            "Description::with_option: {name} is there already, leave one out"
        );
        self.text.push(':');
        let name = Some(self.append(name));
        self.text.push('=');
        let value = self.append(value);
        self.arguments.push(Argument {
            name,
            value,
            taken: None,
        });
        self
    }

    /// The type: what stands before the first colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind.text
    }

    /// Says how a string of this type is written, for the errors about missing and superfluous arguments.
    /// By default they name the arguments asked for so far.
    pub fn set_form(&mut self, form: &str) {
        self.form = Some(form.to_owned());
    }

    /// Whether this option is there and nobody took it yet.
    #[must_use]
    pub fn has_option(&self, name: &str) -> bool {
        self.left().any(|argument| argument.is_named(name))
    }

    /// How many arguments without a name nobody took yet.
    #[must_use]
    pub fn positionals_left(&self) -> usize {
        self.left()
            .filter(|argument| argument.name.is_none())
            .count()
    }

    /// Takes an argument that must be there: the one given by this name, else the next one given by place.
    ///
    /// # Errors
    ///
    /// When there is none, or when it is not what `T` can be read from.
    pub fn positional<T: Value>(&mut self, name: &str) -> Result<T, EndpointError> {
        self.positionals.push(name.to_owned());
        let by_name = self.take(name, |argument| argument.is_named(name));
        let found = by_name.or_else(|| self.take(name, |argument| argument.name.is_none()));
        let Some(text) = found else {
            return Err(self.missing(name));
        };
        self.read(name, &text)
    }

    /// Takes an option, if it is there.
    ///
    /// # Errors
    ///
    /// When its value is not what `T` can be read from.
    pub fn option<T: Value>(&mut self, name: &str) -> Result<Option<T>, EndpointError> {
        self.options.push(name.to_owned());
        let taken = self.take(name, |argument| argument.is_named(name));
        taken.map(|text| self.read(name, &text)).transpose()
    }

    /// Takes an option that must be there.
    ///
    /// # Errors
    ///
    /// When it is not, or its value is not what `T` can be read from.
    pub fn required<T: Value>(&mut self, name: &str) -> Result<T, EndpointError> {
        self.option(name)?.ok_or_else(|| self.missing(name))
    }

    /// Takes the endpoint inside of this one: everything from the next argument given by place on, which is its type.
    ///
    /// ```
    /// use ropewalk_core::endpoint::Description;
    ///
    /// let mut proxy = Description::parse("proxy:from=10.0.0.0/8:tls:443:cert=/etc/cert.pem")?;
    /// let tls = proxy.inner("endpoint")?;
    /// assert_eq!((tls.kind(), tls.to_string().as_str()), ("tls", "tls:443:cert=/etc/cert.pem"));
    /// assert_eq!(proxy.option::<String>("from")?.unwrap(), "10.0.0.0/8");
    /// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When there is none, its type is empty, or there are too many inside each other.
    pub fn inner(&mut self, name: &str) -> Result<Self, EndpointError> {
        self.positionals.push(name.to_owned());
        let by_place = |argument: &Argument| argument.taken.is_none() && argument.name.is_none();
        let Some(start) = self.arguments.iter().position(by_place) else {
            return Err(self.missing(name));
        };
        let mut arguments = self.arguments.split_off(start);
        let kind = arguments.remove(0).value;
        if kind.text.is_empty() {
            return Err(self.error(kind.place, EndpointProblem::NoType));
        }
        if self.depth == DEEPEST {
            return Err(self.error(kind.place, EndpointProblem::TooDeep));
        }
        let mut inner = Self::of(self.text.clone(), kind);
        (inner.arguments, inner.depth) = (arguments, self.depth + 1);
        Ok(inner)
    }

    /// Takes an option that may be said by its bare name, such as `reload` or `reload=no`: whether it is on. Take it before
    /// the arguments by place.
    ///
    /// # Errors
    ///
    /// When its value is neither yes nor no.
    pub fn switch(&mut self, name: &str) -> Result<bool, EndpointError> {
        let is_bare = |argument: &Argument| argument.name.is_none() && argument.value.text == name;
        let bare = self.take(name, is_bare).is_some();
        Ok(self.option(name)?.unwrap_or(bare))
    }

    /// Ends the taking.
    ///
    /// # Errors
    ///
    /// When an option is given twice, or an argument or option is left that nobody took.
    pub fn finish(self) -> Result<(), EndpointError> {
        if let Some(argument) = self.twice() {
            let name = argument.name.as_ref().map_or("", |name| &name.text);
            let problem = EndpointProblem::Repeated {
                name: name.to_owned(),
            };
            return Err(self.error(argument.place(), problem));
        }
        let Some(argument) = self.left().next() else {
            return Ok(());
        };
        let problem = match &argument.name {
            None => EndpointProblem::Unexpected {
                form: self.right_form(),
            },
            Some(name) => self.unknown_option(&name.text),
        };
        Err(self.error(argument.place(), problem))
    }

    /// The error for an argument or option that was taken, could be read, and still cannot be.
    /// `meaning` stands behind "must be".
    #[must_use]
    pub fn wrong(&self, name: &str, meaning: &str) -> EndpointError {
        let (name, meaning) = (name.to_owned(), meaning.to_owned());
        let place = self
            .taken(&name)
            .map(|argument| argument.value.place.clone());
        // As in a URL.
        let (before, rest) = self.text.split_at(self.kind.place.end);
        let rest = rest.strip_prefix("://");
        let suggestion = rest.map(|rest| format!("{before}:{rest}"));
        let problem = EndpointProblem::Wrong {
            name,
            meaning,
            suggestion,
        };
        self.error(place, problem)
    }

    /// The error for an argument or option that was taken and says again what another said.
    #[must_use]
    pub fn repeated(&self, name: &str) -> EndpointError {
        let place = self.taken(name).map(Argument::place);
        self.error(
            place,
            EndpointProblem::Repeated {
                name: name.to_owned(),
            },
        )
    }

    /// The error for an argument or option that was taken, makes sense, and turns out to be of no use when somebody listens
    /// or connects: a file that is not there, a certificate that has expired. `why` is one line.
    #[must_use]
    pub fn unusable(&self, name: &str, why: impl fmt::Display) -> EndpointError {
        let place = self
            .taken(name)
            .map(|argument| argument.value.place.clone());
        let why = why.to_string();
        self.error(place, EndpointProblem::Unusable { why })
    }

    /// The text of an argument or option that was taken.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&str> {
        self.taken(name).map(|argument| &*argument.value.text)
    }

    /// The error for a type that is none of the known ones.
    ///
    /// ```
    /// use ropewalk_core::endpoint::Description;
    ///
    /// let error = Description::parse("localhost:80")?.unknown_type(&["tcp", "unix"]);
    /// assert!(error.to_string().contains(r#"did you mean "tcp:localhost:80"?"#));
    /// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
    /// ```
    #[must_use]
    pub fn unknown_type(&self, known: &[&str]) -> EndpointError {
        let known = known.iter().map(|&name| name.to_owned()).collect();
        self.unknown(known, Vec::new())
    }

    /// [`unknown_type`](Self::unknown_type), with those that are known to others.
    pub(super) fn unknown(
        &self,
        known: Vec<String>,
        others: Vec<(Use, Vec<String>)>,
    ) -> EndpointError {
        let (before, rest) = (self.before(), &self.text[self.kind.place.end..]);
        let renamed = elsewhere(self.kind(), &known).or_else(|| nearest(self.kind(), &known));
        let renamed = renamed.map(|kind| format!("{before}{kind}{rest}"));
        let has_tcp = known.iter().any(|kind| kind == "tcp");
        let typed = (has_tcp && self.lacks_type()).then(|| format!("{before}tcp:{self}"));
        let has_unix = known.iter().any(|kind| kind == "unix");
        let path = (has_unix && self.kind().starts_with(['/', '@', '.']))
            .then(|| format!("{before}unix:{self}"));
        let suggestion = renamed.or(path).or(typed);
        let problem = EndpointProblem::UnknownType {
            suggestion,
            known,
            others,
        };
        self.error(self.kind.place.clone(), problem)
    }

    fn of(text: String, kind: Field) -> Self {
        let (positionals, options) = (Vec::new(), Vec::new());
        Self {
            text,
            kind,
            arguments: Vec::new(),
            depth: 0,
            form: None,
            positionals,
            options,
        }
    }

    /// Appends a field to the text and returns it.
    fn append(&mut self, text: &str) -> Field {
        let start = self.text.len();
        self.text.push_str(&quote(text));
        Field {
            text: text.to_owned(),
            place: start..self.text.len(),
        }
    }

    fn left(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .filter(|argument| argument.taken.is_none())
    }

    fn taken(&self, name: &str) -> Option<&Argument> {
        self.arguments
            .iter()
            .find(|argument| argument.taken.as_deref() == Some(name))
    }

    /// The first option that has the name of an earlier one.
    fn twice(&self) -> Option<&Argument> {
        let named = |at: usize| self.arguments[at].name.as_ref();
        let mut places = 0..self.arguments.len();
        let at = places.find(|&at| {
            named(at).is_some_and(|name| {
                self.arguments[..at]
                    .iter()
                    .any(|earlier| earlier.is_named(&name.text))
            })
        })?;
        Some(&self.arguments[at])
    }

    /// What stands before an inner endpoint.
    fn before(&self) -> &str {
        &self.text[..self.kind.place.start]
    }

    fn take(&mut self, name: &str, fits: impl Fn(&Argument) -> bool) -> Option<String> {
        let mut arguments = self.arguments.iter_mut();
        let argument = arguments.find(|argument| argument.taken.is_none() && fits(argument))?;
        argument.taken = Some(name.to_owned());
        Some(argument.value.text.clone())
    }

    fn read<T: Value>(&self, name: &str, text: &str) -> Result<T, EndpointError> {
        T::from_text(text).ok_or_else(|| self.wrong(name, T::MEANING))
    }

    fn unknown_option(&self, name: &str) -> EndpointProblem {
        let asked = self.options.iter().chain(&self.positionals);
        let suggestion = nearest(name, asked).map(str::to_owned);
        let known = self.options.clone();
        EndpointProblem::UnknownOption {
            name: name.to_owned(),
            suggestion,
            known,
        }
    }

    /// Whether this looks like `PORT` or `HOST:PORT`, the type forgotten.
    fn lacks_type(&self) -> bool {
        let is_port = |text: &str| u16::from_text(text).is_some();
        let kind = self.kind();
        let is_host = kind == "localhost" || !kind.chars().all(char::is_alphabetic);
        let by_place = |argument: &&Argument| argument.name.is_none();
        let arguments = self.arguments.iter().filter(by_place);
        let texts: Vec<&str> = arguments
            .map(|argument| argument.value.text.as_str())
            .collect();
        match texts[..] {
            [] => is_port(kind),
            [port] => is_host && is_port(port),
            _ => false,
        }
    }

    /// Points at the type where there is no better place.
    pub(super) fn error(
        &self,
        place: impl Into<Option<Range<usize>>>,
        problem: EndpointProblem,
    ) -> EndpointError {
        let place = place.into().unwrap_or_else(|| self.kind.place.clone());
        EndpointError::new(&self.text, place, problem)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text[self.kind.place.start..])
    }
}

impl FromStr for Description {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text)
    }
}
