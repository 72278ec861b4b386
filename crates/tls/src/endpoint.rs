//! What endpoint strings of type `tls` say: `tls:443:cert=site.pem:key=site.key:reload`.
//!
//! Only reads text; files are read when a [`TlsServer`] or [`TlsClient`] is made of it.

use std::path::PathBuf;

use ropewalk_core::endpoint::{
    self, Description, Destination, EndpointError, Kind, Listening, Role, TcpClient, TcpServer,
};
use ropewalk_core::{Factory, Handle};

use crate::certificates::{CertificateFiles, Certificates};
use crate::client::{ClientOptions, Roots, TlsClient, server_name};
use crate::error::TlsError;
use crate::factory::TlsFactory;
use crate::pem::Identity;
use crate::provider::Provider;
use crate::server::{ClientCertificates, ServerOptions, TlsServer};

const KIND: &str = "tls";

const ALPN: (&str, &str) = (
    "alpn=h2,http/1.1",
    "the protocols above, the preferred one first",
);

/// Adds the type `tls` to what endpoint strings can begin with, in the whole process. The facade does it by itself.
pub fn register() {
    endpoint::register(
        Kind::new(KIND, "TLS over TCP")
            .for_servers(Role {
                form: "tls:PORT:cert=FILE or tls:HOST:PORT:cert=FILE",
                options: &[
                    (
                        "cert=FILE",
                        "the certificate, with its chain behind it, as PEM",
                    ),
                    (
                        "key=FILE",
                        "its private key, where it is not in the same file",
                    ),
                    ("chain=FILE", "the chain, where it is a file of its own"),
                    (
                        "sni=FOLDER",
                        "more certificates, by name: NAME.pem, or NAME/cert.pem and NAME/key.pem",
                    ),
                    ALPN,
                    (
                        "client_ca=FILE",
                        "the roots that certificates of clients must come from",
                    ),
                    ("client_auth=optional", "a client may come without one"),
                    (
                        "reload",
                        "reads the files again when they change; at SIGHUP they always are",
                    ),
                    TcpServer::BACKLOG,
                ],
                parse: server,
            })
            .for_clients(Role {
                form: "tls:HOST:PORT",
                options: &[
                    (
                        "roots=FILE",
                        "the authorities to trust, those of this machine by default",
                    ),
                    (
                        "name=NAME",
                        "the name that the server's certificate must have, HOST by default",
                    ),
                    ("cert=FILE", "the certificate to show"),
                    (
                        "key=FILE",
                        "its private key, where it is not in the same file",
                    ),
                    ALPN,
                    TcpClient::TIMEOUT,
                ],
                parse: client,
            }),
    );
}

/// Where a TLS server listens, and with what: `tls:PORT:cert=PEM` or `tls:HOST:PORT:cert=PEM`.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `cert=FILE` | the certificate, with its chain behind it | must be given |
/// | `key=FILE` | its private key | in the same file |
/// | `chain=FILE` | the chain, when it is a file of its own | none |
/// | `sni=FOLDER` | more certificates, by name ([`CertificateFiles::directory`]) | none |
/// | `alpn=h2,http/1.1` | the protocols above, the preferred one first | none |
/// | `client_ca=FILE` | the roots that certificates of clients must come from | they are not asked |
/// | `client_auth=optional` | or `required`: whether a client must show one | `required`, with `client_ca` |
/// | `reload` | reads the files again when they change; at SIGHUP they always are | no |
/// | `interface=`, `backlog=`, `reuse_port=` | as for `tcp` | |
///
/// ```
/// use ropewalk_core::endpoint::Description;
/// use ropewalk_tls::TlsServerEndpoint;
///
/// let mut description = Description::parse("tls:127.0.0.1:443:cert=/etc/site.pem:alpn=h2,http/1.1:reload")?;
/// let endpoint = TlsServerEndpoint::take(&mut description)?;
/// assert_eq!(endpoint.tcp.address.port(), 443);
/// assert_eq!(endpoint.alpn, ["h2", "http/1.1"]);
/// assert!(endpoint.reload);
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsServerEndpoint {
    /// Where to listen.
    pub tcp: TcpServer,
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The chain.
    pub chain: Option<PathBuf>,
    /// The folder of more certificates.
    pub directory: Option<PathBuf>,
    /// The protocols above.
    pub alpn: Vec<String>,
    /// The roots of clients' certificates, and whether each client must show one.
    pub clients: Option<(PathBuf, bool)>,
    /// Whether the files are read again.
    pub reload: bool,
}

impl TlsServerEndpoint {
    /// Takes the arguments and options of a server from a description.
    ///
    /// # Errors
    ///
    /// When those that are there are not those of a TLS server.
    pub fn take(description: &mut Description) -> Result<Self, EndpointError> {
        let reload = description.switch("reload")?;
        let tcp = TcpServer::take(description)?;
        let Some(certificate) = path(description, "cert")? else {
            return Err(description.missing("cert"));
        };
        let key = path(description, "key")?;
        Ok(Self {
            tcp,
            key: key.unwrap_or_else(|| certificate.clone()),
            certificate,
            chain: path(description, "chain")?,
            directory: path(description, "sni")?,
            alpn: alpn(description)?,
            clients: clients(description)?,
            reload,
        })
    }

    /// Reads the files, and makes a server of them.
    ///
    /// # Errors
    ///
    /// A file is missing or wrong; see [`Identity::from_files`].
    pub fn server(&self) -> Result<TlsServer, TlsError> {
        let mut files = CertificateFiles::new(&self.certificate, &self.key);
        if let Some(chain) = &self.chain {
            files = files.chain(chain);
        }
        if let Some(directory) = &self.directory {
            files = files.directory(directory);
        }
        let certificates = Certificates::load(files, Provider::default())?;
        let clients = match &self.clients {
            None => ClientCertificates::None,
            Some((roots, true)) => ClientCertificates::Required(Roots::from_file(roots)?),
            Some((roots, false)) => ClientCertificates::Optional(Roots::from_file(roots)?),
        };
        let options = ServerOptions::new(certificates).alpn(self.alpn.iter().cloned());
        TlsServer::new(options.client_certificates(clients))
    }
}

/// Where a TLS client connects, and whom it trusts: `tls:HOST:PORT`.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `roots=FILE` | the authorities to trust | those of this machine |
/// | `name=NAME` | the name that the server's certificate must have | HOST |
/// | `cert=FILE`, `key=FILE` | the certificate to show, and its key | none; the key is in the same file |
/// | `alpn=h2,http/1.1` | the protocols above to offer | none |
/// | `timeout=`, `bind=` | as for `tcp` | |
///
/// ```
/// use ropewalk_core::endpoint::Description;
/// use ropewalk_tls::TlsClientEndpoint;
///
/// let mut description = Description::parse("tls:[::1]:443:name=example.com:roots=/etc/ca.pem")?;
/// let endpoint = TlsClientEndpoint::take(&mut description)?;
/// assert_eq!((endpoint.tcp.host.as_str(), endpoint.name.as_str()), ("::1", "example.com"));
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsClientEndpoint {
    /// Where to connect.
    pub tcp: TcpClient,
    /// The name that the server must have.
    pub name: String,
    /// The roots to trust, if not those of this machine.
    pub roots: Option<PathBuf>,
    /// The certificate and key to show.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The protocols above.
    pub alpn: Vec<String>,
}

impl TlsClientEndpoint {
    /// Takes the arguments and options of a client from a description.
    ///
    /// # Errors
    ///
    /// When those that are there are not those of a TLS client.
    pub fn take(description: &mut Description) -> Result<Self, EndpointError> {
        let tcp = TcpClient::take(description)?;
        let name: Option<String> = description.option("name")?;
        let name = name.unwrap_or_else(|| tcp.host.clone());
        if server_name(&name).is_err() {
            let option = if name == tcp.host { "host" } else { "name" };
            return Err(description.wrong(option, "a host name in ASCII or an IP address"));
        }
        let (roots, certificate) = (path(description, "roots")?, path(description, "cert")?);
        let key = path(description, "key")?;
        if key.is_some() && certificate.is_none() {
            return Err(description.wrong("key", "with cert=FILE, whose key it is"));
        }
        let identity = certificate.map(|certificate| {
            let key = key.unwrap_or_else(|| certificate.clone());
            (certificate, key)
        });
        Ok(Self {
            tcp,
            name,
            roots,
            identity,
            alpn: alpn(description)?,
        })
    }

    /// Reads the files, and makes a client of them.
    ///
    /// # Errors
    ///
    /// A file is missing or wrong, or the machine has no roots.
    pub fn client(&self) -> Result<TlsClient, TlsError> {
        let roots = self
            .roots
            .as_ref()
            .map_or_else(Roots::platform, Roots::from_file)?;
        let mut options = ClientOptions::new(roots).alpn(self.alpn.iter().cloned());
        if let Some((certificate, key)) = &self.identity {
            options = options.identity(Identity::from_files(certificate, key)?);
        }
        TlsClient::new(options)
    }
}

fn server(mut description: Description) -> Result<Listening, EndpointError> {
    let endpoint = TlsServerEndpoint::take(&mut description)?;
    let (listen, text) = (endpoint.tcp.listen(), description.to_string());
    description.clone().finish()?;
    let wrap = move |handle: &Handle, factory: Box<dyn Factory>| {
        let server = endpoint.server();
        let server = server.map_err(|error| unusable(&description, &error))?;
        server.certificates().reload_on_hangup(handle);
        let mut factory = TlsFactory::server(&server, factory);
        if endpoint.reload {
            factory = factory.watching(handle);
        }
        Ok(Box::new(factory) as Box<dyn Factory>)
    };
    let listening = Listening::from(listen);
    Ok(listening.shown_as(KIND).with_text(text).wrapped(wrap))
}

fn client(mut description: Description) -> Result<Destination, EndpointError> {
    let endpoint = TlsClientEndpoint::take(&mut description)?;
    let text = description.to_string();
    description.clone().finish()?;
    let destination = Destination::from(&endpoint.tcp).with_text(&text);
    Ok(destination.wrapped(move |_, factory| {
        let client = endpoint.client();
        let client = client.map_err(|error| unusable(&description, &error))?;
        let factory = TlsFactory::client(&client, &endpoint.name, factory);
        let factory = factory.map_err(|error| unusable(&description, &error))?;
        Ok(Box::new(factory) as Box<dyn Factory>)
    }))
}

/// Points at the option whose file is wrong.
fn unusable(description: &Description, error: &TlsError) -> EndpointError {
    const FILES: [&str; 6] = ["cert", "key", "chain", "sni", "client_ca", "roots"];
    let is_it = |name: &&&str| {
        description
            .given(name)
            .is_some_and(|path| error.subject().starts_with(path))
    };
    let name = FILES.iter().find(is_it).unwrap_or(&"cert");
    if description.given(name) == Some(error.subject()) {
        description.unusable(name, error.problem()) // the place in the string names the file
    } else {
        description.unusable(name, error)
    }
}

fn path(description: &mut Description, name: &str) -> Result<Option<PathBuf>, EndpointError> {
    Ok(description.option::<String>(name)?.map(PathBuf::from))
}

fn alpn(description: &mut Description) -> Result<Vec<String>, EndpointError> {
    let Some(text) = description.option::<String>("alpn")? else {
        return Ok(Vec::new());
    };
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    if names.iter().any(|name| !(1..=255).contains(&name.len())) {
        return Err(description.wrong("alpn", "names such as h2,http/1.1, of 1 to 255 bytes each"));
    }
    Ok(names)
}

fn clients(description: &mut Description) -> Result<Option<(PathBuf, bool)>, EndpointError> {
    let roots = path(description, "client_ca")?;
    let required = match description.option::<String>("client_auth")?.as_deref() {
        None | Some("required") => true,
        Some("optional") => false,
        Some(_) => return Err(description.wrong("client_auth", "optional or required")),
    };
    if roots.is_none() && !required {
        return Err(description.wrong(
            "client_auth",
            "with client_ca=FILE, the roots to check with",
        ));
    }
    Ok(roots.map(|roots| (roots, required)))
}
