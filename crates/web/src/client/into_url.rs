//! What a request may be sent to.

use url::Url;

use super::agent_error::AgentProblem;

/// Text that is a URL, or a [`Url`].
///
/// Text is read as browsers read it, with two differences: blanks and control characters are refused, never dropped (R171, CL-02), and so are
/// backslashes, which browsers take for slashes. Names of hosts in other letters than ASCII are encoded (IDNA).
///
/// `ws` and `wss` are `http` and `https` here: a WebSocket begins as a request.
pub trait IntoUrl {
    /// The URL.
    ///
    /// # Errors
    ///
    /// The text is no URL of the web.
    fn into_url(self) -> Result<Url, AgentProblem>;
}

impl IntoUrl for &str {
    fn into_url(self) -> Result<Url, AgentProblem> {
        let wrong = |why: &str| AgentProblem::Url {
            text: without_password(self),
            why: why.to_owned(),
        };
        if self.contains(|letter: char| letter.is_control() || letter == ' ') {
            return Err(wrong(
                "it has a blank or a control character; encode it, a blank as %20",
            ));
        }
        if self.contains('\\') {
            return Err(wrong("it has a backslash; write a slash, or %5C"));
        }
        let url = Url::parse(self).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                wrong("it has no scheme; write http://HOST/PATH, or ws://HOST/PATH for a WebSocket")
            }
            error => wrong(&error.to_string()),
        })?;
        url.into_url()
    }
}

impl IntoUrl for &String {
    fn into_url(self) -> Result<Url, AgentProblem> {
        self.as_str().into_url()
    }
}

impl IntoUrl for String {
    fn into_url(self) -> Result<Url, AgentProblem> {
        self.as_str().into_url()
    }
}

impl IntoUrl for &Url {
    fn into_url(self) -> Result<Url, AgentProblem> {
        self.clone().into_url()
    }
}

impl IntoUrl for Url {
    fn into_url(mut self) -> Result<Url, AgentProblem> {
        let scheme = match self.scheme() {
            "http" | "https" => return Ok(self),
            "ws" => "http",
            "wss" => "https",
            other => {
                let why = format!(
                    "its scheme is {other}; an agent knows http and https, and for WebSockets ws and wss"
                );
                let text = without_password(self.as_str());
                return Err(AgentProblem::Url { text, why });
            }
        };
        self.set_scheme(scheme)
            .expect("one special scheme may be another");
        Ok(self)
    }
}

/// The text as it may be shown: an error ends up in logs.
pub(crate) fn without_password(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let rest = &text[start..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let user = rest[..end].rfind('@').map(|at| &rest[..at]);
    match user.and_then(|user| user.find(':')) {
        None => text.to_owned(),
        Some(colon) => {
            let behind = &rest[user.map_or(0, str::len)..];
            format!("{}{}:***{behind}", &text[..start], &rest[..colon])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r171_what_is_no_url_is_refused() {
        for text in [
            "",
            "/path",
            "host:80",
            "http://",
            "http://a b/",
            "http://a/b c",
            "http://a/\r\nX: y",
            "http://a/\tb",
            "http://a/\0",
            " http://a/",
            "http://a\\b/",
            "http://[::1/",
            "http://a:70000/",
            "ftp://a/",
            "file:///etc/passwd",
            "mailto:a@b",
            "http://a\u{85}/",
        ] {
            let problem = text.into_url().unwrap_err().to_string();
            assert!(!problem.contains(['\r', '\n', '\0', '\t']), "{problem}");
            assert!(problem.contains("URL"), "{text:?}: {problem}");
        }
    }

    #[test]
    fn an_error_does_not_tell_a_password() {
        for (text, shown) in [
            ("http://me:pa@ss@a:70000/", "http://me:***@a:70000/"),
            ("ftp://me:secret@a/x@y", "ftp://me:***@a/x@y"),
            ("me:secret@a b", "me:***@a b"),
            ("ftp://a:22/b:c@d", "ftp://a:22/b:c@d"),
        ] {
            let problem = text.into_url().unwrap_err().to_string();
            assert!(problem.contains(shown), "{problem}");
            assert!(
                !problem.contains("ecret") && !problem.contains("pa@"),
                "{problem}"
            );
        }
    }

    #[test]
    fn urls_are_read_as_browsers_read_them() {
        for (text, read) in [
            ("HTTP://Example.COM", "http://example.com/"),
            ("https://a:443/x?y#z", "https://a/x?y#z"),
            ("ws://a/chat", "http://a/chat"),
            ("wss://a:443", "https://a/"),
            (
                "http://bücher.example/ü",
                "http://xn--bcher-kva.example/%C3%BC",
            ),
            ("http://a/b/../c", "http://a/c"),
        ] {
            assert_eq!(text.into_url().unwrap().as_str(), read);
        }
    }
}
