//! Where a web server listens, and how that is called in a browser.

use std::net::IpAddr;
use std::path::Path;

use ropewalk::endpoint::Description;
use ropewalk::{Failure, ListeningPort};

/// The endpoints, with TLS if there is a certificate: of `tcp` they become `tls`.
pub(crate) fn of(
    endpoints: Vec<String>,
    cert: Option<&Path>,
    key: Option<&Path>,
) -> Result<Vec<String>, Failure> {
    let Some(cert) = cert else {
        return Ok(endpoints);
    };
    let secured = endpoints.iter().map(|endpoint| {
        let mut description = match endpoint.strip_prefix("tcp:") {
            Some(rest) => Description::parse(&format!("tls:{rest}"))?,
            None => Description::parse(endpoint)?,
        };
        if description.kind() != "tls" {
            return Err(description.unknown_type(&["tcp", "tls"]).into());
        }
        if !description.has_option("cert") {
            description = description.with_option("cert", &cert.to_string_lossy());
            if let Some(key) = key {
                description = description.with_option("key", &key.to_string_lossy());
            }
            if !description.has_option("alpn") {
                description = description.with_option("alpn", "http/1.1");
            }
        }
        Ok(description.to_string())
    });
    secured.collect()
}

/// What to type into a browser on this machine.
pub(crate) fn url(port: &ListeningPort) -> Option<String> {
    let endpoint = port.endpoint().to_string();
    let scheme = match endpoint.contains("tls:") {
        true => "https",
        false => "http",
    };
    let address = port.host().socket()?;
    let host = match address.ip().to_canonical() {
        ip if ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    Some(match (scheme, address.port()) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}/"),
        (_, port) => format!("{scheme}://{host}:{port}/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_makes_tls_of_tcp() {
        ropewalk::register_endpoints();
        let of = |endpoint: &str| {
            let made = of(vec![endpoint.to_owned()], Some(Path::new("/a:b.pem")), None);
            made.map(|endpoints| endpoints.concat())
        };
        let wanted = "tls:127.0.0.1:443:cert=/a\\:b.pem:alpn=http/1.1";
        assert_eq!(of("tcp:127.0.0.1:443").unwrap(), wanted);
        assert_eq!(of("tls:127.0.0.1:443").unwrap(), wanted);
        assert_eq!(of("tls:443:cert=own.pem").unwrap(), "tls:443:cert=own.pem");
        let error = of("unix:/run/web").unwrap_err().to_string();
        assert!(error.contains("unix"), "{error}");
    }
}
