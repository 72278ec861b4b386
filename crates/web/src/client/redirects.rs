//! Which redirects are followed (R170).

use http::{Method, StatusCode};
use ropewalk_grammar::http1::Name;
use url::Url;

use super::agent_error::AgentProblem;
use super::hop::Hop;
use super::into_url::IntoUrl;

/// Which redirects an agent follows, and how many.
///
/// Credentials (`Authorization`, `Cookie`, `Proxy-Authorization`, those in the URL) do not go along to another scheme, host or port (CL-01).
/// What is not followed is the response that you get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirects {
    most: usize,
    keeps_tls: bool,
    policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    None,
    Strict,
    BrowserLike,
}

impl Redirects {
    /// Follows none.
    pub const fn none() -> Self {
        Self::new(Policy::None)
    }

    /// Follows 301, 302, 307 and 308 of GET and HEAD, and 303 of all with a GET; at most 20. This is the default.
    #[doc(alias = "RedirectAgent")]
    pub const fn strict() -> Self {
        Self::new(Policy::Strict)
    }

    /// Follows as [`strict`](Self::strict), and also 301 and 302 of other methods, with a GET, as browsers do with forms.
    #[doc(alias = "BrowserLikeRedirectAgent")]
    pub const fn browser_like() -> Self {
        Self::new(Policy::BrowserLike)
    }

    /// At most so many, one after another; more are an error.
    #[must_use]
    pub const fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// None from TLS to none, which is an error then: what is asked for securely is not to be had otherwise.
    #[must_use]
    pub const fn keeping_tls(mut self) -> Self {
        self.keeps_tls = true;
        self
    }

    /// Where a `Location` in a response from the URL `from` leads, whatever is followed: for who follows by hand.
    ///
    /// ```
    /// use ropewalk_web::{IntoUrl, Redirects};
    ///
    /// let from = "https://example.com/shop/tea#green".into_url()?;
    /// let url = Redirects::none().target_of(&from, b"../cups?size=2")?;
    /// assert_eq!(url.as_str(), "https://example.com/cups?size=2#green");
    /// # Ok::<(), ropewalk_web::AgentProblem>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`AgentProblem::Redirect`]: it is no URL of the web, has a control character, or leads from TLS to none where that must not be.
    pub fn target_of(self, from: &Url, location: &[u8]) -> Result<Url, AgentProblem> {
        let refused = |why: &dyn std::fmt::Display| {
            let location = String::from_utf8_lossy(location);
            AgentProblem::Redirect(format!("\"{}\": {why}", location.escape_debug()))
        };
        let text = std::str::from_utf8(location).map_err(|error| refused(&error))?;
        if text.contains(|letter: char| letter.is_control()) {
            return Err(refused(&"it has a control character"));
        }
        let url = from.join(text).map_err(|error| refused(&error))?;
        let url = url.into_url(); // ws and wss, too
        let mut url = url.map_err(|_| refused(&"an agent knows http and https"))?;
        if self.keeps_tls && from.scheme() == "https" && url.scheme() != "https" {
            return Err(refused(&"it leads from TLS to none"));
        }
        if url.fragment().is_none() {
            url.set_fragment(from.fragment()); // RFC 9110 10.2.2
        }
        Ok(url)
    }

    const fn new(policy: Policy) -> Self {
        Self {
            most: 20,
            keeps_tls: false,
            policy,
        }
    }

    /// Turns a hop into the one that a response leads to; `None` if it is the last. `passed` hops were before it.
    pub(super) fn follow(
        self,
        hop: &Hop,
        status: StatusCode,
        location: Option<&[u8]>,
        passed: usize,
    ) -> Result<Option<Hop>, AgentProblem> {
        let Some(location) = location else {
            return Ok(None);
        };
        let Some(method) = self.method(&hop.method, status) else {
            return Ok(None);
        };
        if passed >= self.most {
            return Err(AgentProblem::TooManyRedirects(self.most));
        }
        let url = self.target_of(&hop.url, location)?;
        Ok(Some(hop.redirected(url, method)))
    }

    /// The method for the next hop; `None` if this status is not followed.
    fn method(self, method: &Method, status: StatusCode) -> Option<Method> {
        let is_safe = matches!(*method, Method::GET | Method::HEAD);
        let other = if *method == Method::HEAD {
            Method::HEAD
        } else {
            Method::GET
        };
        match (self.policy, status.as_u16()) {
            (Policy::None, _) => None,
            (_, 303) => Some(other),
            (_, 301 | 302 | 307 | 308) if is_safe => Some(method.clone()),
            (Policy::BrowserLike, 301 | 302) => Some(Method::GET),
            _ => None,
        }
    }
}

impl Default for Redirects {
    fn default() -> Self {
        Self::strict()
    }
}

/// What belongs to one origin and goes to no other (CL-01).
pub(super) const CREDENTIALS: [Name; 3] =
    [Name::Authorization, Name::Cookie, Name::ProxyAuthorization];

/// What describes a body that is not sent any more.
pub(super) const OF_CONTENT: [Name; 5] = [
    Name::ContentType,
    Name::ContentEncoding,
    Name::ContentLanguage,
    Name::ContentLocation,
    Name::Expect,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::headers::Headers;

    #[test]
    fn where_tls_is_kept_no_redirect_leads_away_from_it() {
        let follow = |redirects: Redirects, from: &str, to: &str| {
            let url = from.into_url().unwrap();
            let hop = Hop::new(Method::GET, url, Headers::new(), Body::empty());
            let next = redirects.follow(&hop, StatusCode::FOUND, Some(to.as_bytes()), 0);
            next.map(|hop| hop.unwrap().url.to_string())
        };
        let keeping = Redirects::strict().keeping_tls();
        assert_eq!(
            follow(keeping, "wss://a/", "wss://b/x").unwrap(),
            "https://b/x"
        );
        assert_eq!(follow(keeping, "ws://a/", "ws://b/").unwrap(), "http://b/");
        assert_eq!(follow(keeping, "ws://a/", "/y").unwrap(), "http://a/y");
        assert_eq!(
            follow(Redirects::strict(), "https://a/", "http://b/").unwrap(),
            "http://b/"
        );
        for to in ["ws://b/", "http://a/", "//b:80/../", "ftp://a/"] {
            let followed = follow(keeping, "wss://a/", to);
            assert_eq!(followed.is_ok(), to.starts_with("//"), "{to}: {followed:?}");
        }
    }
}
