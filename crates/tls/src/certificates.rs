//! The certificates of a server, by name, which can be read again while it runs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::error::{TlsError, TlsProblem};
use crate::facts;
use crate::pem::{Identity, Source};
use crate::provider::Provider;

/// Where the certificates of a server lie.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    certificate: Source,
    key: Source,
    chain: Option<Source>,
    directory: Option<PathBuf>,
}

impl CertificateFiles {
    /// The certificate (with its chain behind it, if any) and its key; both may be the same file.
    #[must_use]
    pub fn new(certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self {
            certificate: Source::file(certificate),
            key: Source::file(key),
            chain: None,
            directory: None,
        }
    }

    /// The same from memory, as PEM; there is nothing to reload.
    #[must_use]
    pub fn from_pem(certificate: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        Self {
            certificate: Source::memory("the certificate", certificate),
            key: Source::memory("the key", key),
            chain: None,
            directory: None,
        }
    }

    /// The chain, when it is a file of its own.
    #[must_use]
    pub fn chain(mut self, chain: impl AsRef<Path>) -> Self {
        self.chain = Some(Source::file(chain));
        self
    }

    /// A folder of certificates that are chosen by the name the client asks for: `NAME.pem` with certificate, chain and key, or
    /// `NAME/cert.pem` and `NAME/key.pem`. A NAME that begins with `*.` (or `_.`) stands for all names one label longer. Who
    /// asks for no name, or for one that is not there, gets the first certificate.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_owned());
        self
    }

    /// The pairs of the folder: name, certificate, key.
    fn named(&self) -> Result<Vec<(String, Source, Source)>, TlsError> {
        let Some(directory) = &self.directory else {
            return Ok(Vec::new());
        };
        let unreadable = |error| {
            TlsError::new(
                directory.display().to_string(),
                TlsProblem::Unreadable(error),
            )
        };
        let mut named = Vec::new();
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            named.extend(pair(&entry.map_err(unreadable)?.path()));
        }
        Ok(named)
    }

    /// What tells whether a file changed: time and size of each.
    fn stamps(&self) -> Vec<Stamp> {
        let named = self.named().unwrap_or_default();
        let named = named
            .iter()
            .flat_map(|(_, certificate, key)| [certificate, key]);
        [&self.certificate, &self.key]
            .into_iter()
            .chain(&self.chain)
            .chain(named)
            .filter_map(Stamp::of)
            .collect()
    }
}

/// A file, when it was changed, and its length; nothing of one that is not there.
#[derive(Debug, PartialEq, Eq)]
struct Stamp(PathBuf, Option<(SystemTime, u64)>);

impl Stamp {
    fn of(source: &Source) -> Option<Self> {
        let Source::File(path) = source else {
            return None;
        };
        let metadata = fs::metadata(path).ok();
        let known = metadata.and_then(|data| Some((data.modified().ok()?, data.len())));
        Some(Self(path.clone(), known))
    }
}

/// What a path in the folder means.
fn pair(path: &Path) -> Option<(String, Source, Source)> {
    let (certificate, key) = (path.join("cert.pem"), path.join("key.pem"));
    if path.is_dir() {
        let both = certificate.exists() || key.exists();
        let name = path.file_name()?.to_str()?;
        return both.then(|| (host(name), Source::File(certificate), Source::File(key)));
    }
    let name = path.file_name()?.to_str()?.strip_suffix(".pem")?;
    Some((host(name), Source::file(path), Source::file(path)))
}

/// A name as it is looked up.
fn host(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("_.") {
        Some(rest) => format!("*.{rest}"),
        None => name,
    }
}

/// The certificates of a server, asked at each handshake; all clones are the same.
///
/// [`reload`](Self::reload) swaps a certificate and its key only together, only if they match and are not over. Handshakes
/// under way keep what they began with, so none fails by it.
#[derive(Clone)]
#[doc(alias = "CertificateOptions")]
pub struct Certificates(Arc<Inner>);

struct Inner {
    files: CertificateFiles,
    provider: Provider,
    current: RwLock<Arc<Store>>,
    stamps: Mutex<Vec<Stamp>>,
}

struct Store {
    first: Identity,
    named: BTreeMap<String, Identity>,
}

impl Certificates {
    /// Reads a certificate (with its chain behind it) and its key.
    ///
    /// # Errors
    ///
    /// As [`Identity::from_files`].
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::load(CertificateFiles::new(certificate, key), Provider::default())
    }

    /// A certificate and its key from memory, as PEM; there is nothing to reload.
    ///
    /// # Errors
    ///
    /// As [`Identity::from_pem`].
    pub fn from_pem(
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        Self::load(
            CertificateFiles::from_pem(certificate, key),
            Provider::default(),
        )
    }

    /// Reads all of them, for this provider.
    ///
    /// # Errors
    ///
    /// As [`Identity::from_files`], for any of them.
    pub fn load(files: CertificateFiles, provider: Provider) -> Result<Self, TlsError> {
        let stamps = Mutex::new(files.stamps());
        let (store, errors) = read(&files, &provider, None)?;
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        Ok(Self(Arc::new(Inner {
            files,
            provider,
            current: RwLock::new(Arc::new(store)),
            stamps,
        })))
    }

    /// Reads all of them again. Each pair is swapped on its own, and stays as it was when the new one cannot be; that is also
    /// logged, in one line that names file and reason.
    ///
    /// # Errors
    ///
    /// The first of those reasons.
    pub fn reload(&self) -> Result<(), TlsError> {
        let inner = &self.0;
        *inner.stamps.lock().unwrap_or_else(PoisonError::into_inner) = inner.files.stamps();
        let old = self.current();
        let outcome = read(&inner.files, &inner.provider, Some(&old));
        let (store, errors) = outcome.inspect_err(log)?;
        *inner
            .current
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(store);
        errors.iter().for_each(log);
        errors.into_iter().next().map_or(Ok(()), Err)
    }

    /// [`reload`](Self::reload), if a file has another time or size than when it was read. Says whether one had.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload); told once for each change.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let now = self.0.files.stamps();
        let changed = *self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner) != now;
        if changed {
            self.reload()?;
        }
        Ok(changed)
    }

    /// When the first of them to end ends: for a monitor.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        let store = self.current();
        let named = store.named.values().map(Identity::not_after);
        named.fold(store.first.not_after, SystemTime::min)
    }

    pub(crate) fn provider(&self) -> &Provider {
        &self.0.provider
    }

    fn current(&self) -> Arc<Store> {
        Arc::clone(
            &self
                .0
                .current
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates").field(&self.0.files).finish()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        facts::note_server_name(hello.server_name());
        let store = self.current();
        let named = hello.server_name().and_then(|name| store.named(name));
        Some(Arc::clone(&named.unwrap_or(&store.first).key))
    }
}

impl Store {
    fn named(&self, name: &str) -> Option<&Identity> {
        if self.named.is_empty() {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let wildcard = || {
            let (_, parent) = name.split_once('.')?;
            self.named.get(&format!("*.{parent}"))
        };
        self.named.get(&name).or_else(wildcard)
    }
}

fn log(error: &TlsError) {
    tracing::error!(%error, "a certificate was not reloaded, the old one stays");
}

/// Reads everything. What cannot be is taken from `old`, if it is there, and its error told.
fn read(
    files: &CertificateFiles,
    provider: &Provider,
    old: Option<&Store>,
) -> Result<(Store, Vec<TlsError>), TlsError> {
    let mut errors = Vec::new();
    let first = Identity::load(
        &files.certificate,
        &files.key,
        files.chain.as_ref(),
        provider,
    );
    let first = match (first, old) {
        (Ok(first), _) => first,
        (Err(error), None) => return Err(error),
        (Err(error), Some(old)) => {
            errors.push(error);
            old.first.clone()
        }
    };
    let mut named = BTreeMap::new();
    for (name, certificate, key) in files.named()? {
        let kept = || old.and_then(|old| old.named.get(&name).cloned());
        let identity = Identity::load(&certificate, &key, None, provider)
            .map_err(|error| errors.push(error))
            .ok();
        if let Some(identity) = identity.or_else(kept) {
            named.insert(name, identity);
        }
    }
    Ok((Store { first, named }, errors))
}
