//! The four forms of a request target (RFC 9112 3.2).

use super::rule::{Broken, Rule};
use super::{Authority, Method};

/// What a request asks for, as it was sent: nothing is decoded, no `..` is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// `/path?query`: of the host that `Host` names.
    Origin {
        /// Begins with a slash.
        path: &'a str,
        /// What stands behind the first question mark.
        query: Option<&'a str>,
    },
    /// `http://host/path?query`: as to a proxy; a server must take it too, and the host from it (RFC 9112 3.2.2).
    Absolute {
        /// `http`, `https` or another, in any case.
        scheme: &'a str,
        /// The host, and maybe its port.
        authority: Authority<'a>,
        /// Begins with a slash, or is empty, which means `/`.
        path: &'a str,
        /// What stands behind the first question mark.
        query: Option<&'a str>,
    },
    /// `host:port`: of CONNECT, and only of it.
    Authority(Authority<'a>),
    /// `*`: the server as a whole, of OPTIONS, and only of it.
    Asterisk,
}

impl<'a> Target<'a> {
    /// Takes `text` apart, which is of the bytes that a target is made of.
    ///
    /// # Errors
    ///
    /// The rule that it breaks, and where.
    pub(super) fn of(method: Method<'_>, text: &'a str) -> Result<Self, Broken> {
        match (method, text.as_bytes()) {
            (Method::Connect, _) => connect(text),
            (_, [b'/', ..]) => {
                let (path, query) = split_query(text);
                Ok(Self::Origin { path, query })
            }
            (Method::Options, b"*") => Ok(Self::Asterisk),
            (_, b"*") => Err((Rule::AsteriskTarget, 0)),
            _ => absolute(text),
        }
    }

    /// Whether `text` is a target for `method`; what [`of`](Self::of) does, without what is not needed for that.
    #[inline]
    pub(super) fn check(method: Method<'_>, text: &[u8]) -> Result<(), Broken> {
        if text[0] == b'/' && method != Method::Connect {
            return Ok(());
        }
        Target::of(method, super::scan::ascii(text)).map(drop)
    }

    /// The path: `/` if an absolute target has none, nothing if the form knows none.
    pub fn path(&self) -> &'a str {
        match self {
            Self::Absolute { path: "", .. } => "/",
            Self::Origin { path, .. } | Self::Absolute { path, .. } => path,
            Self::Authority(_) | Self::Asterisk => "",
        }
    }

    /// What stands behind the first question mark, if there is one.
    pub fn query(&self) -> Option<&'a str> {
        match self {
            Self::Origin { query, .. } | Self::Absolute { query, .. } => *query,
            Self::Authority(_) | Self::Asterisk => None,
        }
    }
}

fn connect(text: &str) -> Result<Target<'_>, Broken> {
    match Authority::parse(text) {
        Some(authority) if authority.port().is_some_and(|port| port > 0) => {
            Ok(Target::Authority(authority))
        }
        _ => Err((Rule::ConnectTarget, 0)),
    }
}

/// RFC 3986 3.1: a scheme is a letter, then letters, digits, `+`, `-` and `.`.
fn absolute(text: &str) -> Result<Target<'_>, Broken> {
    let (scheme, rest) = text.split_once("://").ok_or((Rule::TargetForm, 0))?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        return Err((Rule::TargetForm, 0));
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = Authority::parse(authority).ok_or((Rule::Authority, scheme.len() + 3))?;
    let (path, query) = split_query(rest);
    Ok(Target::Absolute {
        scheme,
        authority,
        path,
        query,
    })
}

fn split_query(text: &str) -> (&str, Option<&str>) {
    // Targets are short: looking at each byte beats what is made for long texts.
    match text.bytes().position(|byte| byte == b'?') {
        Some(mark) => (&text[..mark], Some(&text[mark + 1..])),
        None => (text, None),
    }
}
