//! Sending clients elsewhere.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::redirect::redirect;
use crate::response::Response;

/// Why a redirect is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectError {
    /// This status does not redirect: 301, 302, 303, 307 and 308 do.
    Status(StatusCode),
    /// This location may be on another site, or has a control character.
    Location(Box<str>),
}

/// What stands in no URL as it is.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'\\');

impl Response {
    /// Sends the client to another page of this site: a path from its root, or something relative (`?page=2`, `./next`).
    ///
    /// It may come from the client, as in `/login?next=/cart`: what leads to another site is refused, also when only browsers
    /// read it so, as `//evil.example` and `/\evil.example` (H1-19). After a form, 303 ([`StatusCode::SEE_OTHER`]) is right.
    ///
    /// ```
    /// use ropewalk_web::{Response, StatusCode};
    ///
    /// let response = Response::redirect(StatusCode::SEE_OTHER, "/cart?of=Zo\u{eb}")?;
    /// assert_eq!(response.headers().get("location").unwrap(), "/cart?of=Zo%C3%AB");
    /// assert!(Response::redirect(StatusCode::SEE_OTHER, "//evil.example/").is_err());
    /// # Ok::<(), ropewalk_web::RedirectError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The location may be on another site; the status is no redirect.
    pub fn redirect(status: StatusCode, location: &str) -> Result<Self, RedirectError> {
        match is_here(location) {
            true => Self::redirect_elsewhere(status, location),
            false => Err(RedirectError::Location(location.into())),
        }
    }

    /// Sends the client to any URL, which must not come from a client.
    ///
    /// # Errors
    ///
    /// The location has a control character; the status is no redirect.
    #[doc(alias = "redirectTo")]
    pub fn redirect_elsewhere(status: StatusCode, location: &str) -> Result<Self, RedirectError> {
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Err(RedirectError::Status(status));
        }
        let wrong = || RedirectError::Location(location.into());
        if location.is_empty() || location.contains(char::is_control) {
            return Err(wrong());
        }
        let location = utf8_percent_encode(location, ENCODED).to_string();
        Ok(redirect(status, &location))
    }
}

/// Whether browsers stay on this site (URL 4.4): they read `\` as `/`, and pass over tabs and line breaks, so that those are refused.
fn is_here(location: &str) -> bool {
    let is_relative = ["?", "#", "./", "../"]
        .iter()
        .any(|start| location.starts_with(start));
    let is_path = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
    (is_path || is_relative) && !location.contains(char::is_control)
}

impl fmt::Display for RedirectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(
                f,
                "{} is no redirect; take 303 after a form, 307 or 308 to have the request repeated, 302 or 301 else",
                status.as_u16()
            ),
            Self::Location(location) => write!(
                f,
                "'{}' is no path of this site, like /here?a=b; what is elsewhere takes Response::redirect_elsewhere",
                location.escape_debug()
            ),
        }
    }
}

impl Error for RedirectError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_19_a_redirect_stays_here_unless_it_is_told_to_leave() {
        let to = |location| Response::redirect(StatusCode::FOUND, location);
        for here in [
            "/",
            "/a//b",
            "/a?b=//c",
            "?a",
            "#a",
            "./a",
            "../a",
            "/\u{e9} b",
        ] {
            assert!(to(here).is_ok(), "{here}");
        }
        for evil in [
            "//evil",
            "/\\evil",
            "\\\\evil",
            "/\t/evil",
            "/\n/evil",
            "http://evil",
            "evil",
            "",
            "javascript:alert(1)",
            " //evil",
            "https:evil",
            "/a\r\nSet-Cookie: b=c",
        ] {
            assert_eq!(
                to(evil).unwrap_err(),
                RedirectError::Location(evil.into()),
                "{evil:?}"
            );
        }
        let encoded = to("/a b\\\"<\u{e9}>?c").unwrap();
        assert_eq!(
            encoded.headers().get("location").unwrap(),
            "/a%20b%5C%22%3C%C3%A9%3E?c"
        );
        assert!(
            Response::redirect_elsewhere(StatusCode::FOUND, "https://a.example/\r\nb").is_err()
        );
        assert!(Response::redirect(StatusCode::OK, "/").is_err());
    }
}
