//! Which fields pass a proxy, and which it writes.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use ropewalk_grammar::http1::{Expect, Fields, Method, Name, Version};

use crate::client::ClientResponse;
use crate::headers::Headers;
use crate::request::Request;

/// For one hop only (RFC 9110 7.6.1), or written anew for each.
const OF_ONE_HOP: [Name; 11] = [
    Name::Connection,
    Name::ContentLength,
    Name::Http2Settings,
    Name::KeepAlive,
    Name::ProxyAuthenticate,
    Name::ProxyAuthorization,
    Name::ProxyConnection,
    Name::Te,
    Name::Trailer,
    Name::TransferEncoding,
    Name::Upgrade,
];

/// What says for whom a proxy asks: claims, from anybody whom we do not trust.
const CLAIMS: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The protocols that a client without a body would rather speak. None of those is HTTP or TLS, which would carry requests past us.
pub(super) fn upgrade(request: &Request) -> Option<String> {
    let upgrade = std::str::from_utf8(request.head().upgrade()?).ok()?;
    let carries_requests = |protocol: &str| {
        let name = protocol.split('/').next().unwrap_or_default();
        ["h2", "h2c", "http", "tls"]
            .iter()
            .any(|refused| name.eq_ignore_ascii_case(refused))
    };
    let protocols = upgrade.split(',').map(str::trim);
    let passing: Vec<&str> = protocols
        .filter(|protocol| !carries_requests(protocol))
        .collect();
    (!passing.is_empty() && !request.has_body()).then(|| passing.join(", "))
}

/// How many more hops OPTIONS may go, if it says so (RFC 9110 7.6.2).
pub(super) fn hops_left(request: &Request) -> Option<u64> {
    let is_options = request.head().method() == Method::Options;
    let left = request.header(Name::MaxForwards).filter(|_| is_options)?;
    left.parse().ok()
}

pub(super) fn of_request(request: &Request, upgrade: Option<&str>) -> Headers {
    let is_trusted = request.trusts_peer();
    let waits = request.head().expect() == Expect::Continue && request.has_body();
    let mut headers = passing(request.fields(), |name| {
        let is_claim = CLAIMS.iter().any(|claim| name.eq_ignore_ascii_case(claim));
        let is_vain = name.eq_ignore_ascii_case(Name::Expect.as_str()) && !waits;
        name.eq_ignore_ascii_case("proxy") || is_vain || is_claim && !is_trusted
    });
    if let Some(upgrade) = upgrade {
        put(&mut headers, "upgrade", upgrade);
    }
    if let Some(left) = hops_left(request) {
        let left = left.saturating_sub(1).to_string();
        put(&mut headers, Name::MaxForwards.as_str(), &left);
    }
    // Of an absolute target, which counts for more than `Host` (RFC 9112 3.2.2): else the server would see another host than we did.
    let authority = request.authority();
    let host = authority.map_or("", |authority| authority.as_str());
    if !host.is_empty() {
        put(&mut headers, "host", host);
    }
    let (scheme, peer) = (request.scheme(), request.peer().ip());
    if let Some(peer) = peer {
        extend(&mut headers, "x-forwarded-for", &peer.to_string());
    }
    if let Some(client) = request.client() {
        put(&mut headers, "x-real-ip", &client.to_string());
    }
    put(&mut headers, "x-forwarded-proto", scheme);
    if !headers.contains("x-forwarded-host") && !host.is_empty() {
        put(&mut headers, "x-forwarded-host", host);
    }
    extend(&mut headers, "forwarded", &forwarded(peer, host, scheme));
    extend(&mut headers, "via", via(request.head().version()));
    headers
}

pub(super) fn of_interim(fields: &HeaderMap) -> Headers {
    let mut headers = Headers::from(fields.clone());
    for name in OF_ONE_HOP {
        headers.remove(name);
    }
    headers
}

pub(super) fn of_response(response: &ClientResponse) -> Headers {
    let mut headers = passing(response.fields(), |_| false);
    if response.status().as_u16() == 101
        && let Some(upgrade) = response.header(Name::Upgrade)
    {
        put(&mut headers, "upgrade", upgrade);
    }
    extend(&mut headers, "via", via(response.version()));
    headers
}

/// In which version we heard it (RFC 9110 7.6.3).
fn via(version: Version) -> &'static str {
    match version {
        Version::Http10 => "1.0 ropewalk",
        Version::Http11 => "1.1 ropewalk",
    }
}

/// How long a body is said to be.
pub(super) fn length(response: &ClientResponse) -> Option<u64> {
    response.header(Name::ContentLength)?.parse().ok()
}

/// The fields that pass, but for those that are not wanted.
fn passing(fields: Fields<'_>, is_unwanted: impl Fn(&str) -> bool) -> Headers {
    let named: Vec<String> = named_by_connection(fields).collect();
    let mut headers = Headers::new();
    for field in fields.iter() {
        let is_of_one_hop = OF_ONE_HOP
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name.as_str()));
        let is_named = named
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name));
        if !is_of_one_hop && !is_named && !is_unwanted(field.name) {
            let _unsendable_is_left_out = headers.append(field.name, field.value);
        }
    }
    headers
}

/// The names in `Connection`, in small letters.
fn named_by_connection(fields: Fields<'_>) -> impl Iterator<Item = String> {
    let values = fields.values(Name::Connection);
    values.flat_map(|value| {
        let text = String::from_utf8_lossy(value).to_ascii_lowercase();
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        names
    })
}

/// An element of `Forwarded` (RFC 7239 4).
fn forwarded(peer: Option<IpAddr>, host: &str, scheme: &str) -> String {
    let from = match peer {
        Some(IpAddr::V6(ip)) => format!("\"[{ip}]\""),
        Some(ip) => ip.to_string(),
        None => "unknown".to_owned(),
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    match host {
        "" => format!("for={from};proto={scheme}"),
        host if host.bytes().all(is_token) => format!("for={from};host={host};proto={scheme}"),
        host => {
            let quoted = host.replace('\\', "\\\\").replace('"', "\\\"");
            format!("for={from};host=\"{quoted}\";proto={scheme}")
        }
    }
}

fn put(headers: &mut Headers, name: &str, value: &str) {
    let _unsendable_is_left_out = headers.set(name, value);
}

/// Adds an element to a list that previous hops may have begun.
fn extend(headers: &mut Headers, name: &str, element: &str) {
    let before: Vec<&str> = headers
        .all(name)
        .filter_map(|value: &HeaderValue| value.to_str().ok())
        .collect();
    let list = match before.is_empty() {
        true => element.to_owned(),
        false => format!("{}, {element}", before.join(", ")),
    };
    put(headers, name, &list);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_forwarded_is_quoted_where_it_must_be() {
        let ip = |text: &str| text.parse().ok();
        assert_eq!(
            forwarded(ip("192.0.2.1"), "a.b", "http"),
            "for=192.0.2.1;host=a.b;proto=http"
        );
        assert_eq!(
            forwarded(ip("2001:db8::1"), "a:80", "https"),
            "for=\"[2001:db8::1]\";host=\"a:80\";proto=https"
        );
        assert_eq!(forwarded(None, "", "http"), "for=unknown;proto=http");
    }
}
