//! Names and values, as queries and simple forms have them (`application/x-www-form-urlencoded`, WHATWG URL 5).
//!
//! Not for: forms with files; those are [`multipart`](ropewalk_grammar::multipart).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use form_urlencoded::Serializer;

/// Names and their values, in order; a name may come more than once, and a value may be blank (R140).
///
/// `+` is a space, `%` and two hexadecimal digits a byte; what is no UTF-8 then becomes U+FFFD, and a `%` without digits stands for itself,
/// as in browsers.
///
/// ```
/// use ropewalk_web::Form;
///
/// let form = Form::parse("tag=a&tag=b+c;empty&caf%C3%A9=1")?;
/// assert_eq!(form.values("tag").collect::<Vec<_>>(), ["a", "b c"]);
/// assert_eq!(form.value("empty"), Some(""));
/// assert_eq!(form.value("café"), Some("1"));
/// assert_eq!(form.to_string(), "tag=a&tag=b+c&empty=&caf%C3%A9=1");
/// # Ok::<(), ropewalk_web::FormError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// How much a form may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormLimits {
    /// Bytes of the whole text; 2 MiB by default. All of it is held at once.
    pub bytes: usize,
    /// How many names, counted each time; 1000 by default. A byte of `&` would else cost fifty of memory.
    pub pairs: usize,
    /// Whether `;` parts pairs as `&` does (R140); it does by default, as old pages say. Who stands behind a cache that parts at `&` only
    /// (those of today do) and answers differently by parameter should say no: `?a=1;b=2` is one parameter there and two here.
    pub semicolons: bool,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self {
            bytes: 2 * 1024 * 1024,
            pairs: 1000,
            semicolons: true,
        }
    }
}

/// A form that is larger than is accepted; a server answers 413.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// It has more bytes than [`FormLimits::bytes`], which is here.
    TooLong(usize),
    /// It has more names than [`FormLimits::pairs`], which is here.
    TooMany(usize),
}

impl<'a> Form<'a> {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a query or a body, within the default limits.
    ///
    /// # Errors
    ///
    /// When there is more than is accepted. Nothing else can be wrong.
    pub fn parse(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Result<Self, FormError> {
        Self::parse_within(text, &FormLimits::default())
    }

    /// Reads a query or a body.
    ///
    /// # Errors
    ///
    /// When there is more than the limits say.
    pub fn parse_within(
        text: &'a (impl AsRef<[u8]> + ?Sized),
        limits: &FormLimits,
    ) -> Result<Self, FormError> {
        let text = text.as_ref();
        if text.len() > limits.bytes {
            return Err(FormError::TooLong(limits.bytes));
        }
        let parts = |byte: &u8| *byte == b'&' || (*byte == b';' && limits.semicolons);
        let mut pairs = Vec::new();
        for pair in text.split(parts).flat_map(form_urlencoded::parse) {
            if pairs.len() == limits.pairs {
                return Err(FormError::TooMany(limits.pairs));
            }
            pairs.push(pair);
        }
        Ok(Self { pairs })
    }

    /// The same, with one more value.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.pairs.push((name.into(), value.into()));
        self
    }

    /// The last value of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next_back()
    }

    /// All values of that name, in order.
    pub fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.iter()
            .filter_map(move |(found, value)| (found == name).then_some(value))
    }

    /// All names and values, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        self.pairs.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Form<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let pairs = self.pairs.into_iter();
        Form {
            pairs: pairs.map(|(name, value)| (own(name), own(value))).collect(),
        }
    }
}

/// As a query or a body says it.
impl fmt::Display for Form<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Serializer::new(String::new());
        f.write_str(&text.extend_pairs(self.iter()).finish())
    }
}

impl FormError {
    /// What a server answers.
    pub fn status(&self) -> u16 {
        413
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(
                f,
                "the form is longer than {limit} bytes; if such forms are right, raise FormLimits::bytes"
            ),
            Self::TooMany(limit) => write!(
                f,
                "the form has more than {limit} names; if so many are right, raise FormLimits::pairs"
            ),
        }
    }
}

impl Error for FormError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let form = Form::parse(text).unwrap();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        form.iter().map(owned).collect()
    }

    fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn r140_values_are_many_and_blanks_are_kept() {
        assert_eq!(
            pairs("a=1&a=2;b=&c&&;=v&d=x=y&%26=%3b"),
            expected(&[
                ("a", "1"),
                ("a", "2"),
                ("b", ""),
                ("c", ""),
                ("", "v"),
                ("d", "x=y"),
                ("&", ";")
            ])
        );
        assert_eq!(pairs(""), expected(&[]));
        assert_eq!(
            pairs("%=%4&%ff"),
            expected(&[("%", "%4"), ("\u{fffd}", "")])
        );
        assert_eq!(Form::parse("a=1&a=2").unwrap().value("a"), Some("2"));
    }

    #[test]
    fn h1_16_a_form_has_limits() {
        let mut limits = FormLimits::default();
        (limits.bytes, limits.pairs, limits.semicolons) = (5, 2, false);
        let parse = |text| Form::parse_within(text, &limits).map(|form| form.iter().len());
        assert_eq!(parse("&a&b&"), Ok(2));
        assert_eq!(parse("a;b&c"), Ok(2));
        assert_eq!(parse("a&b&c"), Err(FormError::TooMany(2)));
        assert_eq!(parse("aaaaaa"), Err(FormError::TooLong(5)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::vec((".{0,5}", ".{0,5}"), 0..5)) {
            let form = pairs.iter().fold(Form::new(), |form, (name, value)| form.with(name, value));
            let text = form.to_string();
            prop_assert_eq!(Form::parse(&text).unwrap(), form);
        }
    }
}
