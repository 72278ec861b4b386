//! Writing `Set-Cookie` (RFC 6265 4.1).

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use ropewalk_grammar::http1::Name;

use crate::HttpDate;
use crate::cookie::is_token;
use crate::response::Response;

/// A cookie to be set, safe unless you say otherwise: `Path=/; Secure; HttpOnly; SameSite=Lax`, until the browser ends.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_web::SetCookie;
///
/// let cookie = SetCookie::new("__Host-id", "31").max_age(Duration::from_secs(900));
/// assert_eq!(cookie.to_field()?, "__Host-id=31; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Lax");
/// assert!(SetCookie::new("id", "31\r\nSet-Cookie: evil=1").to_field().is_err());
/// # Ok::<(), ropewalk_web::CookieError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SetCookie<'a> {
    name: &'a str,
    value: &'a str,
    path: &'a str,
    domain: Option<&'a str>,
    max_age: Option<Duration>,
    expires: Option<SystemTime>,
    is_secure: bool,
    is_http_only: bool,
    same_site: SameSite,
}

/// With which requests from other sites a cookie goes along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SameSite {
    /// None: not even when a link of another site is followed.
    Strict,
    /// When a link is followed; not with a form that another site posts, nor with pictures.
    #[default]
    Lax,
    /// All; what changes anything then needs a guard of its own against forged requests. Needs `Secure`.
    None,
}

/// What of a cookie cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// A name is a token.
    Name,
    /// A value is of visible ASCII characters without quotes, commas, semicolons and backslashes.
    Value,
    /// A path begins with a slash and has neither semicolons nor control characters.
    Path,
    /// A domain is of letters, digits, dots and dashes.
    Domain,
    /// Browsers drop what has more than 4096 bytes of name and value.
    TooLong,
    /// `SameSite=None` needs `Secure`, or browsers refuse the cookie.
    SameSite,
    /// `__Secure-` needs `Secure`; `__Host-` needs that, `Path=/` and no domain, or browsers refuse the cookie.
    Prefix,
}

const MOST_BYTES: usize = 4096;

impl<'a> SetCookie<'a> {
    /// A cookie with that name and value.
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self {
            name,
            value,
            path: "/",
            domain: None,
            max_age: None,
            expires: None,
            is_secure: true,
            is_http_only: true,
            same_site: SameSite::default(),
        }
    }

    /// What makes a browser forget a cookie. Path and domain must be those that it was set with.
    pub fn removal(name: &'a str) -> Self {
        Self::new(name, "")
            .max_age(Duration::ZERO)
            .expires(SystemTime::UNIX_EPOCH)
    }

    /// The same, sent back below this path only. It keeps nobody out: pages of one host can read each other.
    #[must_use]
    pub fn path(mut self, path: &'a str) -> Self {
        self.path = path;
        self
    }

    /// The same, sent to this domain and all below it; by default only to the very host that sets it.
    #[must_use]
    pub fn domain(mut self, domain: &'a str) -> Self {
        self.domain = Some(domain);
        self
    }

    /// The same, for so long, to the second.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The same, until then by the browser's clock. `max_age` goes before it.
    #[must_use]
    pub fn expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires);
        self
    }

    /// The same, for requests from other sites as told.
    #[must_use]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = same_site;
        self
    }

    /// The same, also over connections that are not encrypted, where anybody on the way reads and changes it.
    #[must_use]
    pub fn dangerous_without_secure(mut self) -> Self {
        self.is_secure = false;
        self
    }

    /// The same, readable by the scripts of a page, also by those that should not be there.
    #[must_use]
    pub fn dangerous_without_http_only(mut self) -> Self {
        self.is_http_only = false;
        self
    }

    /// The value of the field.
    ///
    /// # Errors
    ///
    /// When a part would break out of its place, or browsers would refuse the whole; nothing is replaced silently (R138, H1-15).
    pub fn to_field(&self) -> Result<String, CookieError> {
        self.check()?;
        let mut field = format!("{}={}; Path={}", self.name, self.value, self.path);
        let mut add = |attribute: fmt::Arguments<'_>| field.push_str(&attribute.to_string());
        if let Some(domain) = self.domain {
            add(format_args!("; Domain={domain}"));
        }
        if let Some(max_age) = self.max_age {
            add(format_args!("; Max-Age={}", max_age.as_secs()));
        }
        if let Some(expires) = self.expires {
            add(format_args!("; Expires={}", HttpDate::new(expires)));
        }
        if self.is_secure {
            add(format_args!("; Secure"));
        }
        if self.is_http_only {
            add(format_args!("; HttpOnly"));
        }
        add(format_args!("; SameSite={:?}", self.same_site));
        Ok(field)
    }

    fn check(&self) -> Result<(), CookieError> {
        let is_in_path = |byte: u8| matches!(byte, b' '..=b'~') && byte != b';';
        let is_in_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let domain = self.domain.unwrap_or("a");
        let needs_host = starts_with(self.name, "__Host-");
        let needs_secure = needs_host || starts_with(self.name, "__Secure-");
        let broken = [
            (!is_token(self.name), CookieError::Name),
            (!self.value.bytes().all(is_in_value), CookieError::Value),
            (
                !self.path.starts_with('/') || !self.path.bytes().all(is_in_path),
                CookieError::Path,
            ),
            (
                domain.is_empty() || !domain.bytes().all(is_in_domain),
                CookieError::Domain,
            ),
            (
                self.name.len() + self.value.len() > MOST_BYTES,
                CookieError::TooLong,
            ),
            (
                self.same_site == SameSite::None && !self.is_secure,
                CookieError::SameSite,
            ),
            (
                (needs_secure && !self.is_secure)
                    || (needs_host && (self.path != "/" || self.domain.is_some())),
                CookieError::Prefix,
            ),
        ];
        match broken.into_iter().find(|(is_broken, _)| *is_broken) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

impl Response {
    /// The same with one more cookie.
    ///
    /// ```
    /// use ropewalk_web::{Response, SetCookie};
    ///
    /// let response = Response::text("welcome").with_cookie(&SetCookie::new("lang", "en"))?;
    /// assert_eq!(response.headers().get("set-cookie").unwrap(), "lang=en; Path=/; Secure; HttpOnly; SameSite=Lax");
    /// # Ok::<(), ropewalk_web::CookieError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`SetCookie::to_field`].
    #[doc(alias = "addCookie")]
    pub fn with_cookie(mut self, cookie: &SetCookie<'_>) -> Result<Self, CookieError> {
        let value = HeaderValue::try_from(cookie.to_field()?).map_err(|_| CookieError::Value)?;
        self.headers_mut().push(Name::SetCookie.into(), value);
        Ok(self)
    }
}

/// RFC 6265 4.1.1: cookie-octet.
fn is_in_value(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

/// Browsers do not care for capitals in these prefixes.
fn starts_with(name: &str, prefix: &str) -> bool {
    name.split_at_checked(prefix.len())
        .is_some_and(|(start, _)| start.eq_ignore_ascii_case(prefix))
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name of a cookie is a token and not empty",
            Self::Value => {
                "the value of a cookie is of visible ASCII characters without quotes, commas, semicolons and backslashes; encode it"
            }
            Self::Path => "the path of a cookie begins with a slash and has no semicolons",
            Self::Domain => "the domain of a cookie is of letters, digits, dots and dashes",
            Self::TooLong => {
                "name and value of a cookie have at most 4096 bytes; keep what is longer on the server"
            }
            Self::SameSite => "SameSite=None needs Secure",
            Self::Prefix => {
                "a name that begins with __Secure- needs Secure, and __Host- also Path=/ and no domain"
            }
        })
    }
}

impl Error for CookieError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(cookie: SetCookie<'_>) -> Result<String, CookieError> {
        cookie.to_field()
    }

    #[test]
    fn a_cookie_is_written_with_all_that_was_told() {
        let cookie = SetCookie::new("a", "b")
            .path("/x y")
            .domain("example.com")
            .max_age(Duration::from_millis(1999))
            .same_site(SameSite::Strict);
        assert_eq!(
            field(cookie.clone()).unwrap(),
            "a=b; Path=/x y; Domain=example.com; Max-Age=1; Secure; HttpOnly; SameSite=Strict"
        );
        let open = cookie
            .dangerous_without_secure()
            .dangerous_without_http_only();
        assert!(!field(open).unwrap().contains("Secure; HttpOnly"));
        assert_eq!(
            field(SetCookie::removal("a")).unwrap(),
            "a=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn r138_nothing_breaks_out_of_its_place() {
        for text in ["a;b", "a\r\nb", "a\0", "a b", "a,b", "a\"", "a\\", "\u{e9}"] {
            assert_eq!(
                field(SetCookie::new("a", text)),
                Err(CookieError::Value),
                "{text:?}"
            );
            assert_eq!(
                field(SetCookie::new(text, "a")),
                Err(CookieError::Name),
                "{text:?}"
            );
            assert_eq!(
                field(SetCookie::new("a", "").domain(text)),
                Err(CookieError::Domain),
                "{text:?}"
            );
        }
        for text in ["", "a", "/;x", "/\n", "/\u{e9}"] {
            assert_eq!(
                field(SetCookie::new("a", "").path(text)),
                Err(CookieError::Path),
                "{text:?}"
            );
        }
        assert_eq!(field(SetCookie::new("", "")), Err(CookieError::Name));
        assert_eq!(
            field(SetCookie::new("a", &"x".repeat(4096))),
            Err(CookieError::TooLong)
        );
    }

    #[test]
    fn what_browsers_refuse_is_refused() {
        let open = |name| SetCookie::new(name, "").dangerous_without_secure();
        assert_eq!(
            field(open("a").same_site(SameSite::None)),
            Err(CookieError::SameSite)
        );
        assert_eq!(field(open("__secure-a")), Err(CookieError::Prefix));
        let host = SetCookie::new("__Host-a", "");
        assert_eq!(field(host.clone().path("/x")), Err(CookieError::Prefix));
        assert_eq!(field(host.domain("a.b")), Err(CookieError::Prefix));
    }
}
