//! Certificates made for a test.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use ropewalk_tls::{
    Certificates, ClientOptions, Identity, Roots, ServerOptions, TlsClient, TlsServer,
};

/// Who signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, as PEM.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.issue_with(names, |_| {})
    }

    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Pair {
        let mut params = params(names);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn expired(&self, names: &[&str]) -> Pair {
        self.issue_with(names, |params| {
            params.not_before = rcgen::date_time_ymd(2019, 1, 1);
            params.not_after = rcgen::date_time_ymd(2020, 2, 29);
        })
    }

    pub(crate) fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem).unwrap()
    }
}

impl Pair {
    pub(crate) fn self_signed(names: &[&str], is_ca: bool) -> Self {
        let mut params = params(names);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        Self {
            cert: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::from_pem(&self.cert, &self.key).unwrap()
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.cert, &self.key).unwrap()
    }

    pub(crate) fn options(&self) -> ServerOptions {
        ServerOptions::new(self.certificates())
    }

    pub(crate) fn server(&self) -> TlsServer {
        TlsServer::new(self.options()).unwrap()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let common = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params
}

/// A server of `a.example` at 10.0.0.1, and a client that trusts it.
pub(crate) fn couple() -> (TlsServer, TlsClient) {
    let authority = Authority::new("the test's authority");
    let server = authority.issue(&["a.example", "10.0.0.1"]).server();
    (server, client_of(&authority))
}

pub(crate) fn client_of(authority: &Authority) -> TlsClient {
    TlsClient::new(ClientOptions::new(authority.roots())).unwrap()
}
