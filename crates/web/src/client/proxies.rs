//! Which requests go through a proxy.

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use http::HeaderValue;
use url::{Host, Url};

use super::agent_error::AgentProblem;
use super::hop::{credentials_of, strip_credentials};
use super::into_url::IntoUrl;

/// The proxies of an agent; none by default, whatever the environment says.
///
/// Requests to `http` are sent to the proxy in absolute form; those to `https` go through a tunnel that it opens (CONNECT), with TLS to the very
/// end, so that it reads nothing. Credentials of the proxy stand in its URL, and reach nobody else.
///
/// ```
/// use ropewalk_web::Proxies;
///
/// let proxies = Proxies::all("http://name:password@proxy.example:3128")?.except("localhost,.intern.example,10.0.0.0/8");
/// # Ok::<(), ropewalk_web::AgentError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<Rc<Proxy>>,
    https: Option<Rc<Proxy>>,
    except: Vec<Except>,
}

/// One proxy.
pub(super) struct Proxy {
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
}

/// Hosts that are reached without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Except {
    All,
    /// A domain and all below it.
    Domain(String),
    /// Addresses that begin with so many of these bits.
    Network(IpAddr, u32),
}

impl Proxies {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// One for all requests.
    ///
    /// # Errors
    ///
    /// It is no URL of a proxy, which is `http://HOST:PORT` or `https://HOST:PORT`.
    pub fn all(url: impl IntoUrl) -> Result<Self, super::AgentError> {
        let proxy = Some(Rc::new(Proxy::new(url)?));
        Ok(Self {
            http: proxy.clone(),
            https: proxy,
            except: Vec::new(),
        })
    }

    /// The same, with this one for `http`.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    pub fn http(mut self, url: impl IntoUrl) -> Result<Self, super::AgentError> {
        self.http = Some(Rc::new(Proxy::new(url)?));
        Ok(self)
    }

    /// The same, with this one for `https`.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    pub fn https(mut self, url: impl IntoUrl) -> Result<Self, super::AgentError> {
        self.https = Some(Rc::new(Proxy::new(url)?));
        Ok(self)
    }

    /// The same, but hosts of this list are reached directly: names with all that is below them, addresses, networks such as
    /// `10.0.0.0/8`, `*` for all; between commas.
    #[must_use]
    pub fn except(mut self, list: &str) -> Self {
        let hosts = list.split(',').map(str::trim);
        self.except
            .extend(hosts.filter(|host| !host.is_empty()).map(Except::of));
        self
    }

    /// Those of `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in small or, but for the first, capital letters. `HTTP_PROXY` is what
    /// a CGI program gets from the header `Proxy` of whoever asks, and so is not looked at.
    ///
    /// # Errors
    ///
    /// One of them is no URL of a proxy.
    pub fn from_environment() -> Result<Self, super::AgentError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same, from other variables than those of the environment.
    ///
    /// # Errors
    ///
    /// As [`from_environment`](Self::from_environment).
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, super::AgentError> {
        let find = |names: &[&str]| {
            let found = names.iter().find_map(|name| variable(name));
            found.filter(|text| !text.is_empty())
        };
        let proxy = |names: &[&str]| {
            let text = find(names).or_else(|| find(&["all_proxy", "ALL_PROXY"]));
            let text = text.map(|text| match text.contains("://") {
                true => text,
                false => format!("http://{text}"),
            });
            text.map(|text| Proxy::new(text).map(Rc::new)).transpose()
        };
        let proxies = Self {
            http: proxy(&["http_proxy"])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY"])?,
            except: Vec::new(),
        };
        Ok(proxies.except(&find(&["no_proxy", "NO_PROXY"]).unwrap_or_default()))
    }

    /// The proxy for a request to this URL.
    pub(super) fn of(&self, url: &Url) -> Option<&Rc<Proxy>> {
        let proxy = match url.scheme() {
            "https" => &self.https,
            _ => &self.http,
        };
        let proxy = proxy.as_ref()?;
        let is_direct = self.except.iter().any(|except| except.covers(url));
        (!is_direct).then_some(proxy)
    }
}

impl Proxy {
    fn new(url: impl IntoUrl) -> Result<Self, super::AgentError> {
        let mut url = url
            .into_url()
            .map_err(|problem| super::AgentError::new("", problem))?;
        if url.path() != "/" || url.query().is_some() {
            let why = "a proxy is http://HOST:PORT, without a path";
            let (text, why) = (url.to_string(), why.to_owned());
            return Err(super::AgentError::new("", AgentProblem::Url { text, why }));
        }
        let authorization = credentials_of(&url);
        if authorization.is_some() {
            strip_credentials(&mut url);
        }
        Ok(Self { url, authorization })
    }
}

impl Except {
    fn of(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let bare = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        if let Some((address, bits)) = text.split_once('/')
            && let (Some(address), Ok(bits)) = (bare(address), bits.parse())
        {
            return Self::Network(address, bits);
        }
        if let Some(address) = bare(text) {
            return Self::Network(address, u32::MAX);
        }
        let name = text.strip_prefix('*').unwrap_or(text);
        Self::Domain(name.trim_matches('.').to_ascii_lowercase())
    }

    fn covers(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (Self::All, _) => true,
            (Self::Domain(domain), Some(Host::Domain(host))) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with('.')),
            (Self::Network(IpAddr::V4(network), bits), Some(Host::Ipv4(host))) => {
                let away = 32 - (*bits).min(32);
                (network.to_bits() ^ host.to_bits())
                    .checked_shr(away)
                    .is_none_or(|differs| differs == 0)
            }
            (Self::Network(IpAddr::V6(network), bits), Some(Host::Ipv6(host))) => {
                let away = 128 - (*bits).min(128);
                (network.to_bits() ^ host.to_bits())
                    .checked_shr(away)
                    .is_none_or(|differs| differs == 0)
            }
            _ => false,
        }
    }
}

/// Without what is secret.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_direct(list: &str, url: &str) -> bool {
        let proxies = Proxies::all("http://proxy").unwrap().except(list);
        proxies.of(&url.into_url().unwrap()).is_none()
    }

    #[test]
    fn exceptions_are_names_with_all_below_and_networks() {
        for (list, url, direct) in [
            ("", "http://a/", false),
            ("*", "http://a/", true),
            ("example.com", "http://example.com:81/", true),
            (" x, .Example.com", "https://www.example.COM/", true),
            ("*.example.com", "http://a.b.example.com/", true),
            ("example.com", "http://badexample.com/", false),
            ("10.0.0.0/8", "http://10.1.2.3/", true),
            ("10.0.0.0/8", "http://11.1.2.3/", false),
            ("127.0.0.1", "http://127.0.0.1/", true),
            ("127.0.0.1", "http://127.0.0.2/", false),
            ("::1", "http://[::1]/", true),
            ("fe80::/10", "http://[fe81::1]/", true),
            ("0.0.0.0/0", "http://1.2.3.4/", true),
            ("10.0.0.0/x", "http://10.0.0.0/", false),
        ] {
            assert_eq!(is_direct(list, url), direct, "{list} {url}");
        }
    }

    #[test]
    fn the_environment_is_read_as_by_other_programs() {
        let proxies = Proxies::from_variables(|name| match name {
            "HTTP_PROXY" => Some("http://evil:1".to_owned()),
            "all_proxy" => Some("proxy:3128".to_owned()),
            "HTTPS_PROXY" => Some("http://name:pass%20word@secure".to_owned()),
            "no_proxy" => Some("localhost".to_owned()),
            _ => None,
        });
        let proxies = proxies.unwrap();
        let proxy = |url: &str| proxies.of(&url.into_url().unwrap()).cloned();
        assert_eq!(
            proxy("http://a/").unwrap().url.as_str(),
            "http://proxy:3128/"
        );
        let secure = proxy("https://a/").unwrap();
        assert_eq!(secure.url.as_str(), "http://secure/");
        assert_eq!(
            secure.authorization.as_ref().unwrap(),
            "Basic bmFtZTpwYXNzIHdvcmQ="
        );
        assert!(!format!("{secure:?}").contains("pass"));
        assert!(proxy("http://localhost/").is_none());
        assert!(Proxies::from_variables(|_| Some("socks5://a".to_owned())).is_err());
        assert!(Proxies::all("http://proxy/path").is_err());
    }
}
