//! Whom to believe about who asks, when a proxy asks for him.
//!
//! For: servers behind proxies. Not for: writing those fields, which is the reverse proxy's.

use std::net::{IpAddr, SocketAddr};

use ropewalk_core::Address;
use ropewalk_grammar::http1::{Name, RequestHead};
use ropewalk_protocols::AllowedPeers;

/// The proxies in front of a site, and the field in which they say for whom they ask.
///
/// From anybody else the field is not believed: clients write it, too. One field, as a proxy that knows only one passes on what a
/// client says in the other. Of several addresses the last that is no trusted proxy is the client, as those before it are his claims.
///
/// ```
/// use ropewalk_web::{Request, Router, Site, TrustedProxies};
///
/// let proxies = TrustedProxies::x_forwarded("10.0.0.0/8,127.0.0.1".parse()?);
/// let site = Site::new(Router::new().get("/", |request: &Request| match request.client() {
///     Some(address) => format!("you are {address}, by {}", request.scheme()),
///     None => "who are you?".to_owned(),
/// }))
/// .with_trusted_proxies(proxies);
/// # let mut client = ropewalk_testing::StringTransport::builder().factory(site);
/// # client.receive("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    peers: AllowedPeers,
    field: Name,
}

/// What a proxy says of whom it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) ip: Option<IpAddr>,
    /// Whether the client came by https, if that was said.
    pub(crate) is_secure: Option<bool>,
}

impl TrustedProxies {
    /// Proxies that write `X-Forwarded-For` and `X-Forwarded-Proto`, as nearly all do.
    #[must_use]
    pub fn x_forwarded(peers: AllowedPeers) -> Self {
        Self {
            peers,
            field: Name::XForwardedFor,
        }
    }

    /// Proxies that write `Forwarded` (RFC 7239).
    #[must_use]
    pub fn forwarded(peers: AllowedPeers) -> Self {
        Self {
            peers,
            field: Name::Forwarded,
        }
    }

    pub(crate) fn trusts(&self, peer: &Address) -> bool {
        self.peers.contains(peer)
    }

    pub(crate) fn client(&self, peer: &Address, head: &RequestHead<'_>) -> Client {
        let unproxied = Client {
            ip: peer.ip(),
            is_secure: None,
        };
        if !self.peers.contains(peer) {
            return unproxied;
        }
        let mut client = unproxied;
        let values: Vec<&[u8]> = head.fields().values(self.field).collect();
        let hops = values
            .iter()
            .rev()
            .filter_map(|value| std::str::from_utf8(value).ok())
            .flat_map(|value| value.rsplit(','));
        for hop in hops {
            let told = match self.field {
                Name::Forwarded => read_forwarded(hop),
                _ => Client {
                    ip: read_address(hop),
                    is_secure: None,
                },
            };
            let Some(ip) = told.ip else { break };
            client = told;
            if !self.peers.contains_ip(ip) {
                break;
            }
        }
        if self.field == Name::XForwardedFor {
            client.is_secure = last_proto(head);
        }
        client
    }
}

/// The last of `X-Forwarded-Proto`, which the proxy next to us wrote.
fn last_proto(head: &RequestHead<'_>) -> Option<bool> {
    let value = head.value(Name::XForwardedProto)?;
    let last = value.rsplit(|byte| *byte == b',').next()?;
    Some(last.trim_ascii().eq_ignore_ascii_case(b"https"))
}

/// One element of `Forwarded` (RFC 7239 4). Commas in quotes are in no address and no scheme, so an element that was cut there has none.
fn read_forwarded(element: &str) -> Client {
    let mut client = Client::default();
    for pair in element.split(';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("for") {
            client.ip = read_address(value);
        } else if name.trim().eq_ignore_ascii_case("proto") {
            client.is_secure = Some(value.eq_ignore_ascii_case("https"));
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; nothing else.
fn read_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let ip = bare.unwrap_or(text).parse::<IpAddr>();
    let ip = ip.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, ip) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.1:8080 ", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(read_address(text), Some(ip.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "192.0.2.1, 10.0.0.1",
            "localhost",
            "1",
        ] {
            assert_eq!(read_address(text), None, "{text}");
        }
    }

    #[test]
    fn an_element_of_forwarded_is_read_in_any_order_and_case() {
        let client = read_forwarded(" Proto=https ;by=_x; FOR=\"[2001:db8::1]:4711\"");
        assert_eq!(client.ip, Some("2001:db8::1".parse().unwrap()));
        assert_eq!(client.is_secure, Some(true));
        assert_eq!(read_forwarded("for;proto"), Client::default());
    }
}
