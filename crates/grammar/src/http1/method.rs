//! Request methods (RFC 9110 9).

use super::scan;

/// A request method. Methods compare with case (RFC 9110 9.1): `get` is [`Method::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method<'a> {
    /// Transfer a representation of the target.
    Get,
    /// The same without the content.
    Head,
    /// Process the content as the target sees fit.
    Post,
    /// Replace the target by the content.
    Put,
    /// Remove the target.
    Delete,
    /// Make a tunnel to the target.
    Connect,
    /// Say what can be done with the target.
    Options,
    /// Send back what came.
    Trace,
    /// Change the target as the content says (RFC 5789).
    Patch,
    /// Another token. A server that does not know it answers 501.
    Other(&'a str),
}

impl<'a> Method<'a> {
    /// The method that `token` names.
    ///
    /// Whether it is a token at all is not looked at; [`send_request_head`](super::send_request_head) refuses others.
    pub fn of(token: &'a str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "PATCH" => Self::Patch,
            other => Self::Other(other),
        }
    }

    /// The method that bytes found to be a token name.
    #[inline]
    pub(super) fn of_token(token: &'a [u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            _ => Self::of(scan::ascii(token)),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &'a str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other(token) => token,
        }
    }

    /// Whether doing it twice does the same as doing it once (RFC 9110 9.2.2): only then may a client retry by itself.
    pub fn is_idempotent(&self) -> bool {
        matches!(
            self,
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace
        )
    }

    /// Whether content is expected, so that a length is sent even if it is zero (RFC 9110 8.6).
    pub fn expects_content(&self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}
