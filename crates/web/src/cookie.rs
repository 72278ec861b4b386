//! Reading `Cookie` (RFC 6265 5.4, 4.2).
//!
//! Not for: believing what is in it. Anybody can send any cookie; [`CookieKeys`](crate::CookieKeys) make values that can be believed.

use ropewalk_grammar::http1::Name;

use crate::request::Request;

/// The cookies that a client sent: a view of the field, which allocates nothing.
///
/// Lenient in what browsers and old scripts send: values with spaces, commas, quotes, UTF-8. Safe in what comes out: a name is a token, and a value
/// has no control characters; pairs that are otherwise are passed over, the rest stays. Quotes around a value are taken off.
///
/// ```
/// use ropewalk_web::Cookies;
///
/// let cookies = Cookies::new("id=31; lang=\"en\"; =x; odd name=1; id=other");
/// assert_eq!(cookies.value("id"), Some("31"));
/// assert_eq!(cookies.iter().collect::<Vec<_>>(), [("id", "31"), ("lang", "en"), ("id", "other")]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cookies<'a>(&'a str);

impl<'a> Cookies<'a> {
    /// The cookies of this field; several fields are joined by `; ` before (RFC 9113 8.2.3).
    pub fn new(field: &'a str) -> Self {
        Self(field)
    }

    /// The value of the first cookie of that name: the one with the longest path, if a browser sent it (RFC 6265 5.4).
    ///
    /// Capitals matter, and a percent sign is one: a browser guards names that begin with `__Host-` by their very letters.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.0.split(';').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let blank = [' ', '\t'];
            let (name, value) = (name.trim_matches(blank), value.trim_matches(blank));
            let unquoted = value
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            let value = unquoted.unwrap_or(value);
            (is_token(name) && !value.contains(char::is_control)).then_some((name, value))
        })
    }
}

impl Request {
    /// The value of the first cookie of that name. Anybody can send any value: see [`CookieKeys`](crate::CookieKeys) and
    /// [`Sessions`](crate::Sessions) for values that can be believed.
    ///
    /// ```
    /// use ropewalk_web::Request;
    ///
    /// fn language(request: &Request) -> &str {
    ///     request.cookie("lang").unwrap_or("en")
    /// }
    /// ```
    #[doc(alias = "getCookie")]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let fields = self.fields().values(Name::Cookie);
        let mut texts = fields.filter_map(|value| std::str::from_utf8(value).ok());
        texts.find_map(|text| Cookies::new(text).value(name))
    }
}

/// RFC 9110 5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_cookies_are_passed_over_and_the_rest_stays() {
        let seen = |field| Cookies::new(field).iter().collect::<Vec<_>>();
        assert_eq!(seen(""), []);
        assert_eq!(seen(";;=; ;a"), []);
        assert_eq!(seen("a=;b= c d ,e "), [("a", ""), ("b", "c d ,e")]);
        assert_eq!(
            seen("a=b=c==;\u{e9}=1;x=\u{e9}"),
            [("a", "b=c=="), ("x", "\u{e9}")]
        );
        assert_eq!(
            seen("a=\0;b=1\r;c=\u{9b}2;d=\"1;e=\"\""),
            [("d", "\"1"), ("e", "")]
        );
        assert_eq!(Cookies::new("__host-a=1").value("__Host-a"), None);
        assert_eq!(Cookies::new("%5f_Host-a=1").value("__Host-a"), None);
    }
}
