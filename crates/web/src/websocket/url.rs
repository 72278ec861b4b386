//! Where a WebSocket is: `ws://host:port/path?query` (RFC 6455 3).

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use http::Uri;
use ropewalk_core::endpoint::quote;

/// The address of a WebSocket.
///
/// ```
/// use ropewalk_web::websocket::WebSocketUrl;
///
/// let url: WebSocketUrl = "wss://example.com/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port(), url.target()), ("example.com", 443, "/chat?room=1"));
/// assert_eq!(url.endpoint(), "tls:example.com:443");
/// # Ok::<(), ropewalk_web::websocket::WebSocketUrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl {
    is_secure: bool,
    host: String,
    port: u16,
    /// What the field `Host` says.
    authority: String,
    target: String,
}

/// A text is no address of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrlError {
    text: Box<str>,
    why: &'static str,
}

impl WebSocketUrl {
    /// Whether it is `wss:`, over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The name or address of the host; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port; 80 or 443 if none is named.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path and the query.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// The endpoint to connect to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let kind = if self.is_secure { "tls" } else { "tcp" };
        format!("{kind}:{}:{}", quote(self.host()), self.port)
    }

    fn of(text: &str) -> Result<Self, &'static str> {
        if text.contains('#') {
            return Err("it may have no fragment: leave out what begins with #");
        }
        let uri: Uri = text.parse().map_err(|_bad| "it is no URL")?;
        let is_secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err("it must begin with ws:// or wss://"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it may have no user name; send it in a header");
        }
        let default_port = if is_secure { 443 } else { 80 };
        let named = &authority.as_str()[authority.host().len()..];
        let port = match named.strip_prefix(':') {
            None if named.is_empty() => Some(default_port),
            named => named.and_then(|port| port.parse().ok()),
        };
        let port = port.filter(|_| !authority.host().is_empty());
        let port =
            port.ok_or("it needs a host, and a port only if there is a number behind the colon")?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_secure,
            host: authority.host().to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            target: format!("{slash}{target}"),
        })
    }
}

impl FromStr for WebSocketUrl {
    type Err = WebSocketUrlError;

    fn from_str(text: &str) -> Result<Self, WebSocketUrlError> {
        Self::of(text).map_err(|why| WebSocketUrlError {
            text: text.into(),
            why,
        })
    }
}

impl fmt::Display for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

impl fmt::Display for WebSocketUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, why } = self;
        write!(
            f,
            "{text:?} is no address of a WebSocket such as ws://localhost:8080/: {why}"
        )
    }
}

impl Error for WebSocketUrlError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, endpoint, target) in [
            ("ws://localhost", "tcp:localhost:80", "/"),
            ("wss://[::1]:8443/a", "tls:[::1]:8443", "/a"),
            ("ws://h:81?x=1", "tcp:h:81", "/?x=1"),
        ] {
            let url: WebSocketUrl = text.parse().unwrap();
            let found = url.endpoint().replace('\\', "");
            let bare = endpoint.replace(['[', ']'], "");
            assert!(found == endpoint || found == bare, "{found}");
            assert_eq!(url.target(), target);
        }
        for bad in [
            "",
            "http://a",
            "ws://",
            "ws://a#b",
            "ws://u@a",
            "ws://a:99999",
            "ws://a:",
            "ws://a\r\nX: y/",
            "/x",
        ] {
            let error = bad.parse::<WebSocketUrl>().unwrap_err();
            assert!(error.to_string().contains("ws://localhost"), "{error}");
        }
    }
}
