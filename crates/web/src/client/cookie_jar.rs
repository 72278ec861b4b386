//! Cookies that servers have set, and which of them go back to whom (RFC 6265 5.3, 5.4).

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::SystemTime;

use url::{Host, Url};

use super::received_cookie::ReceivedCookie;

/// Keeps cookies for an [`Agent`](crate::Agent), in memory. Clones are the same jar.
///
/// Guaranteed: a cookie goes to the host that set it, and to others only below a domain that this host belongs to and that is no public suffix
/// such as `com` or `co.uk` (CL-01); a secure one goes over TLS only, and nothing that came without TLS replaces it.
///
/// ```
/// use std::time::SystemTime;
/// use ropewalk_web::{CookieJar, IntoUrl};
///
/// let (jar, now) = (CookieJar::new(), SystemTime::now());
/// let url = "https://www.example.com/shop/tea".into_url()?;
/// jar.store(&url, "id=31; Path=/; Domain=example.com; Secure", now);
/// assert_eq!(jar.header(&"https://example.com/".into_url()?, now).as_deref(), Some("id=31"));
/// assert_eq!(jar.header(&"http://example.com/".into_url()?, now), None);
/// # Ok::<(), ropewalk_web::AgentProblem>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar(Rc<RefCell<Jar>>);

#[derive(Default)]
struct Jar {
    /// In the order in which they were first set.
    cookies: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    cookie: ReceivedCookie,
    /// The host or the domain that it belongs to.
    domain: String,
    /// Where in `domain` the name begins that somebody has registered: of `example.com` are all its hosts.
    owner_at: usize,
    is_host_only: bool,
    path: String,
}

/// How many are kept of one owner, and in all; the oldest go first. Against servers that fill our memory, or push out the cookies of others
/// by hosts without number.
const MOST_OF_OWNER: usize = 180;
const MOST: usize = 3000;

impl CookieJar {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a `Set-Cookie` field of a response from this URL; what breaks the rules is passed over.
    pub fn store(&self, url: &Url, field: &str, now: SystemTime) {
        let Some(kept) = ReceivedCookie::read(field, now).and_then(|cookie| Kept::of(cookie, url))
        else {
            return;
        };
        let mut jar = self.0.borrow_mut();
        jar.remove_expired(now);
        let is_secure = url.scheme() == "https";
        let same = jar.cookies.iter().position(|other| other.is_same(&kept));
        if jar
            .cookies
            .iter()
            .any(|other| !is_secure && other.is_guarded_from(&kept))
        {
            return;
        }
        let is_over = kept.cookie.expires.is_some_and(|expires| expires <= now);
        match (same, is_over) {
            (Some(at), true) => drop(jar.cookies.remove(at)),
            (Some(at), false) => jar.cookies[at] = kept,
            (None, true) => {}
            (None, false) => jar.add(kept),
        }
    }

    /// The `Cookie` field for a request to this URL: longer paths first, then older cookies.
    pub fn header(&self, url: &Url, now: SystemTime) -> Option<String> {
        let mut jar = self.0.borrow_mut();
        jar.remove_expired(now);
        let mut found: Vec<&Kept> = jar
            .cookies
            .iter()
            .filter(|kept| kept.goes_to(url))
            .collect();
        found.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
        let pairs = found
            .iter()
            .map(|kept| format!("{}={}", kept.cookie.name, kept.cookie.value));
        let text = pairs.collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then_some(text)
    }

    /// Forgets all.
    pub fn clear(&self) {
        self.0.borrow_mut().cookies.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.borrow().cookies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Jar {
    fn remove_expired(&mut self, now: SystemTime) {
        self.cookies
            .retain(|kept| kept.cookie.expires.is_none_or(|expires| expires > now));
    }

    fn add(&mut self, kept: Kept) {
        let of_owner = |other: &Kept| other.owner() == kept.owner();
        let count = self.cookies.iter().filter(|other| of_owner(other)).count();
        if count >= MOST_OF_OWNER
            && let Some(oldest) = self.cookies.iter().position(of_owner)
        {
            self.cookies.remove(oldest);
        }
        if self.cookies.len() >= MOST {
            self.cookies.remove(0);
        }
        self.cookies.push(kept);
    }
}

impl Kept {
    /// Whose the cookie is; `None` if this URL may not set it.
    fn of(cookie: ReceivedCookie, url: &Url) -> Option<Self> {
        let host = url.host_str()?.trim_end_matches('.');
        let is_secure = url.scheme() == "https";
        if cookie.is_secure && !is_secure {
            return None;
        }
        let is_name = matches!(url.host(), Some(Host::Domain(_)));
        let domain = cookie.domain.as_str();
        let is_host_only = domain.is_empty() || domain == host && (!is_name || is_public(domain));
        let is_below = is_name && !is_public(domain) && is_within(host, domain);
        if !is_host_only && !is_below {
            return None;
        }
        let path = cookie.path.clone().unwrap_or_else(|| default_path(url));
        if is_forbidden(&cookie, is_host_only, &path) {
            return None;
        }
        let domain = if is_host_only { host } else { domain }.to_owned();
        let registered = psl::domain_str(&domain).filter(|_| is_name);
        let owner_at = registered.map_or(0, |registered| domain.len() - registered.len());
        Some(Self {
            cookie,
            domain,
            owner_at,
            is_host_only,
            path,
        })
    }

    fn owner(&self) -> &str {
        &self.domain[self.owner_at..]
    }

    fn is_same(&self, other: &Self) -> bool {
        self.cookie.name == other.cookie.name
            && self.domain == other.domain
            && self.is_host_only == other.is_host_only
            && self.path == other.path
    }

    /// Whether `other`, which came without TLS, would stand in the way of this one (RFC 6265bis 5.7).
    fn is_guarded_from(&self, other: &Self) -> bool {
        let is_near =
            is_within(&self.domain, &other.domain) || is_within(&other.domain, &self.domain);
        self.cookie.is_secure
            && self.cookie.name == other.cookie.name
            && is_near
            && is_below_path(&other.path, &self.path)
    }

    fn goes_to(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let is_of_host = match self.is_host_only {
            true => host == self.domain,
            false => is_within(host, &self.domain),
        };
        let is_safe = !self.cookie.is_secure || url.scheme() == "https";
        is_of_host && is_safe && is_below_path(url.path(), &self.path)
    }
}

/// What the prefixes of a name promise (RFC 6265bis 4.1.3).
fn is_forbidden(cookie: &ReceivedCookie, is_host_only: bool, path: &str) -> bool {
    let begins = |prefix: &str| {
        let start = cookie.name.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let needs_host = begins("__Host-");
    let is_of_host = is_host_only && path == "/" && cookie.path.is_some();
    (needs_host || begins("__Secure-")) && !cookie.is_secure || needs_host && !is_of_host
}

/// Whether domains of many owners end so.
fn is_public(domain: &str) -> bool {
    psl::suffix_str(domain).is_none_or(|suffix| suffix == domain)
}

/// RFC 6265 5.1.3.
fn is_within(host: &str, domain: &str) -> bool {
    let before = host.strip_suffix(domain);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// RFC 6265 5.1.4.
fn is_below_path(path: &str, of_cookie: &str) -> bool {
    let rest = path.strip_prefix(of_cookie);
    rest.is_some_and(|rest| rest.is_empty() || of_cookie.ends_with('/') || rest.starts_with('/'))
}

fn default_path(url: &Url) -> String {
    let path = url.path();
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(last) => path[..last].to_owned(),
    }
}

/// Without the values, which are secret.
impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let jar = self.0.borrow();
        let names = jar
            .cookies
            .iter()
            .map(|kept| (&kept.domain, &kept.cookie.name));
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::into_url::IntoUrl;
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    /// What `to` is sent after `from` has set these.
    fn sent(from: &str, fields: &[&str], to: &str) -> String {
        let jar = CookieJar::new();
        for field in fields {
            jar.store(&from.into_url().unwrap(), field, NOW);
        }
        jar.header(&to.into_url().unwrap(), NOW).unwrap_or_default()
    }

    #[test]
    fn cl_01_cookies_are_bound_to_their_domain() {
        for (from, field, to, is_sent) in [
            ("http://a.com/", "x=1", "http://a.com:81/", true),
            ("http://a.com/", "x=1", "http://www.a.com/", false),
            ("http://a.com/", "x=1", "http://b.com/", false),
            (
                "http://www.a.com/",
                "x=1; Domain=a.com",
                "http://b.a.com/",
                true,
            ),
            (
                "http://www.a.com/",
                "x=1; Domain=.A.com",
                "http://a.com/",
                true,
            ),
            (
                "http://www.a.com/",
                "x=1; Domain=a.com",
                "http://ba.com/",
                false,
            ),
            ("http://a.com/", "x=1; Domain=b.com", "http://b.com/", false),
            (
                "http://a.com/",
                "x=1; Domain=www.a.com",
                "http://www.a.com/",
                false,
            ),
            ("http://a.com/", "x=1; Domain=com", "http://b.com/", false),
            (
                "http://a.co.uk/",
                "x=1; Domain=co.uk",
                "http://b.co.uk/",
                false,
            ),
            (
                "http://a.github.io/",
                "x=1; Domain=github.io",
                "http://b.github.io/",
                false,
            ),
            (
                "http://a.intern/",
                "x=1; Domain=intern",
                "http://b.intern/",
                false,
            ),
            (
                "http://localhost/",
                "x=1; Domain=localhost",
                "http://localhost/",
                true,
            ),
            (
                "http://10.0.0.1/",
                "x=1; Domain=10.0.0.1",
                "http://10.0.0.1/",
                true,
            ),
            (
                "http://10.0.0.1/",
                "x=1; Domain=0.0.1",
                "http://10.0.0.1/",
                false,
            ),
        ] {
            let sent = sent(from, &[field], to);
            assert_eq!(
                sent,
                if is_sent { "x=1" } else { "" },
                "{from} {field} {to}"
            );
        }
    }

    #[test]
    fn cookies_are_bound_to_their_path_and_the_longest_comes_first() {
        let at = "http://a.com/shop/tea";
        let fields = ["a=1; Path=/", "b=2", "c=3; Path=/shop/tea/", "d=4; Path=x"];
        assert_eq!(sent(at, &fields, "http://a.com/shop"), "b=2; d=4; a=1");
        assert_eq!(sent(at, &fields, "http://a.com/shopping"), "a=1");
        assert_eq!(
            sent(at, &fields, "http://a.com/shop/tea/2"),
            "c=3; b=2; d=4; a=1"
        );
    }

    #[test]
    fn secure_cookies_stay_on_tls() {
        let secure = ["x=1; Secure"];
        assert_eq!(sent("https://a.com/", &secure, "https://a.com/"), "x=1");
        assert_eq!(sent("https://a.com/", &secure, "http://a.com/"), "");
        assert_eq!(sent("http://a.com/", &secure, "https://a.com/"), "");
        let jar = CookieJar::new();
        jar.store(&"https://a.com/".into_url().unwrap(), "x=1; Secure", NOW);
        jar.store(&"http://a.com/".into_url().unwrap(), "x=2", NOW);
        jar.store(
            &"http://www.a.com/".into_url().unwrap(),
            "x=3; Domain=a.com",
            NOW,
        );
        let url = "https://a.com/".into_url().unwrap();
        assert_eq!(jar.header(&url, NOW).as_deref(), Some("x=1"));
        for field in [
            "__Host-x=1; Secure; Path=/x",
            "__host-x=1; Path=/",
            "__Secure-x=1",
        ] {
            assert_eq!(
                sent("https://a.com/", &[field], "https://a.com/x"),
                "",
                "{field}"
            );
        }
    }

    #[test]
    fn cookies_are_replaced_removed_and_expire() {
        let url = "http://a.com/".into_url().unwrap();
        let jar = CookieJar::new();
        jar.store(&url, "x=1", NOW);
        jar.store(&url, "y=1; Max-Age=10", NOW);
        jar.store(&url, "x=2", NOW);
        assert_eq!(jar.header(&url, NOW).as_deref(), Some("x=2; y=1"));
        let later = NOW + Duration::from_secs(10);
        assert_eq!(jar.header(&url, later).as_deref(), Some("x=2"));
        jar.store(&url, "x=; Max-Age=0", later);
        assert!(jar.is_empty());
    }

    #[test]
    fn a_server_cannot_fill_memory() {
        let jar = CookieJar::new();
        for domain in 0..20 {
            let url = format!("http://a{domain}.com/").into_url().unwrap();
            for number in 0..200 {
                jar.store(&url, &format!("c{number}=1"), NOW);
            }
        }
        assert_eq!(jar.len(), MOST);
    }

    /// One of many hosts of one owner cannot push out what others have set.
    #[test]
    fn cl_01_hosts_without_number_are_one_owner() {
        let jar = CookieJar::new();
        let bank = "https://bank.com/".into_url().unwrap();
        jar.store(&bank, "id=31", NOW);
        for host in 0..400 {
            let url = format!("http://h{host}.evil.co.uk/").into_url().unwrap();
            for number in 0..10 {
                jar.store(&url, &format!("c{number}=1"), NOW);
            }
        }
        assert_eq!(jar.len(), MOST_OF_OWNER + 1);
        assert_eq!(jar.header(&bank, NOW).as_deref(), Some("id=31"));
        for host in 0..200 {
            let url = format!("http://10.0.{host}.1/").into_url().unwrap();
            jar.store(&url, "x=1", NOW);
        }
        assert_eq!(
            jar.len(),
            MOST_OF_OWNER + 1 + 200,
            "addresses have no owner in common"
        );
    }
}
