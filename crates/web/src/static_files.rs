//! Files as they lie below a root (R154 to R160).
//!
//! ```text
//!   path ─► FilePath ─► folder? ─► redirect, index, listing
//!                    └► file ──► cache (small, still the same) ─┐
//!                              └► open ─────────────────────────┴─► conditions ─► ranges ─► Body
//! ```
//!
//! For: what nginx would serve. Not for: making content; whoever changes files changes them on the disk.

mod answer;
mod cache;
mod listing;

use std::fmt;
use std::io;
use std::path::Path;
use std::rc::Rc;

use http::{HeaderValue, StatusCode};
use ropewalk_grammar::http1::Name;

use self::cache::{Cache, Served};
use crate::error_page::error_page;
use crate::file_tree::{FileNode, FileTree};
use crate::folder::{Folder, FolderError};
use crate::methods::Methods;
use crate::negotiate::{Encoding, choose_encoding};
use crate::redirect::redirect;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;
use crate::target_path::{FilePath, TargetPath};

/// What stands for a folder, the first that is there (R155).
const INDEX_NAMES: [&str; 4] = ["index", "index.html", "index.htm", "index.rpy"];

/// Siblings that hold the same content compressed, the best first.
const PRECOMPRESSED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// A folder, served: files with type, dates, tags and ranges, folders by their index or as a listing.
///
/// No path leads out of the root, whatever is encoded in it, linked to or swapped meanwhile (R154, H1-23); names that begin with a dot are
/// not there, but for `.well-known` (RFC 8615). A leaf of the tree, so it may stand anywhere in it.
///
/// Small files are kept in memory, as long as the disk says that they are the same; large ones are sent by the kernel, where nothing
/// between needs their bytes.
///
/// ```no_run
/// use ropewalk_web::{Site, StaticFiles};
///
/// let site = Site::new(StaticFiles::of("/srv/www")?);
/// # drop(site);
/// # Ok::<(), ropewalk_web::FolderError>(())
/// ```
#[doc(alias = "File")]
#[doc(alias = "static.File")]
pub struct StaticFiles {
    tree: Box<dyn FileTree>,
    cache: Cache,
    index_names: Vec<String>,
    default_type: HeaderValue,
    cache_control: Option<HeaderValue>,
    lists: bool,
    serves_hidden: bool,
    has_precompressed: bool,
}

impl StaticFiles {
    /// The files in a folder.
    ///
    /// # Errors
    ///
    /// It is no folder, or may not be read.
    pub fn of(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        Ok(Self::new(Folder::open(path)?))
    }

    /// The files of a tree.
    #[must_use]
    pub fn new(tree: impl FileTree) -> Self {
        Self {
            tree: Box::new(tree),
            cache: Cache::default(),
            index_names: INDEX_NAMES.map(str::to_owned).into(),
            default_type: HeaderValue::from_static("text/html"),
            cache_control: None,
            lists: true,
            serves_hidden: false,
            has_precompressed: false,
        }
    }

    /// What stands for a folder, instead of `index`, `index.html`, `index.htm` and `index.rpy`: the first that is there.
    #[doc(alias = "indexNames")]
    #[must_use]
    pub fn with_index_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let index_names = names.into_iter().map(Into::into).collect();
        Self {
            index_names,
            ..self
        }
    }

    /// The type of files whose names say none, instead of `text/html` (R156). Where users put files, let it be
    /// `application/octet-stream`: no browser runs that.
    ///
    /// # Panics
    ///
    /// When the text has a control character.
    #[must_use]
    pub fn with_default_type(self, content_type: &'static str) -> Self {
        Self {
            default_type: HeaderValue::from_static(content_type),
            ..self
        }
    }

    /// The header `Cache-Control` of every file.
    ///
    /// # Panics
    ///
    /// When the text has a control character.
    #[must_use]
    pub fn with_cache_control(self, value: &'static str) -> Self {
        Self {
            cache_control: Some(HeaderValue::from_static(value)),
            ..self
        }
    }

    /// 403 for a folder without an index, instead of its listing.
    #[must_use]
    pub fn without_listing(self) -> Self {
        Self {
            lists: false,
            ..self
        }
    }

    /// Serves and lists names that begin with a dot, too.
    #[must_use]
    pub fn with_hidden(self) -> Self {
        Self {
            serves_hidden: true,
            ..self
        }
    }

    /// Answers with `name.br` or `name.gz` instead of `name`, if it is there, not older, and the client takes it.
    #[must_use]
    pub fn with_precompressed(self) -> Self {
        Self {
            has_precompressed: true,
            ..self
        }
    }

    /// How many bytes of small files (up to 64 KiB) are kept in memory, instead of 32 MiB; 0 for none.
    #[must_use]
    pub fn with_memory(self, limit_bytes: usize) -> Self {
        Self {
            cache: Cache::new(limit_bytes),
            ..self
        }
    }

    fn serve(&self, request: &Request) -> Result<Response, StatusCode> {
        let not_found = StatusCode::NOT_FOUND;
        let target = match TargetPath::parse(request.rest()) {
            Ok(target) => target,
            Err(_) if request.rest().is_empty() => return Ok(to_folder(request)),
            Err(error) => {
                return Err(StatusCode::from_u16(error.status()).unwrap_or(not_found));
            }
        };
        if target.segments().any(|segment| segment == "..") {
            return Err(not_found); // Clients resolve it before they ask; who sends it looks for a hole.
        }
        let path = target.file_path().map_err(|_| not_found)?;
        if !self.serves_hidden && is_hidden(path.as_str()) {
            return Err(not_found);
        }
        match self.load(path.as_str(), request)? {
            Some(_) if path.is_folder() && !path.as_str().is_empty() => Err(not_found),
            Some(file) => self.negotiate(path.as_str(), file, request),
            None if !path.is_folder() => Ok(to_folder(request)),
            None => self.folder(&path, request),
        }
    }

    /// The file at a path; none for a folder.
    fn load(&self, path: &str, request: &Request) -> Result<Option<Rc<Served>>, StatusCode> {
        if let Some(kept) = self.cache.get(path, &*self.tree) {
            return Ok(Some(kept));
        }
        match self.tree.open(path).map_err(|error| status_of(&error))? {
            FileNode::Folder => Ok(None),
            FileNode::File(source, stat) => {
                let served = Served::new(path, source, stat, &self.default_type);
                let now = request.reactor().wall_time();
                Ok(Some(self.cache.keep(path, served, &*self.tree, now)))
            }
        }
    }

    fn folder(&self, path: &FilePath<'_>, request: &Request) -> Result<Response, StatusCode> {
        for name in &self.index_names {
            let path = join(path.as_str(), name);
            if let Ok(Some(file)) = self.load(&path, request) {
                return self.negotiate(&path, file, request);
            }
        }
        if !self.lists {
            return Err(StatusCode::FORBIDDEN);
        }
        let listed = self.tree.list(path.as_str(), listing::MOST_ENTRIES);
        let mut entries = listed.map_err(|error| status_of(&error))?;
        if !self.serves_hidden {
            let is_below_root = path.as_str().is_empty();
            entries.retain(|entry| match &*entry.name {
                ".well-known" => is_below_root,
                name => !name.starts_with('.'),
            });
        }
        Ok(listing::page(path.as_str(), entries, request.query()))
    }

    /// The file or its compressed sibling, as the client likes it.
    fn negotiate(
        &self,
        path: &str,
        file: Rc<Served>,
        request: &Request,
    ) -> Result<Response, StatusCode> {
        let sibling = match self.has_precompressed && file.encoding.is_none() {
            true => self.sibling(path, &file, request),
            false => None,
        };
        let mut response = sibling.unwrap_or(file).answer(request)?;
        let is_refused = response.status().is_client_error();
        let headers = response.headers_mut();
        if self.has_precompressed {
            let vary = HeaderValue::from_static("Accept-Encoding");
            headers.replace(Name::Vary.into(), vary);
        }
        // A cache that keeps the refusal of one client's range or condition shows it to all (RFC 9111 3).
        if let Some(value) = self.cache_control.as_ref().filter(|_| !is_refused) {
            headers.replace(Name::CacheControl.into(), value.clone());
        }
        Ok(response)
    }

    fn sibling(&self, path: &str, file: &Served, request: &Request) -> Option<Rc<Served>> {
        let accept = request.header(Name::AcceptEncoding)?;
        let mut offered = PRECOMPRESSED.map(|(coding, _)| coding).to_vec();
        while let Encoding::Coded(coding) = choose_encoding(Some(accept), &offered) {
            let (_, ending) = PRECOMPRESSED.iter().find(|(name, _)| *name == coding)?;
            let found = self.load(&format!("{path}{ending}"), request);
            if let Ok(Some(sibling)) = found
                && sibling.stat.modified >= file.stat.modified
            {
                return Some(Rc::new(sibling.in_place_of(file, coding)));
            }
            offered.retain(|name| *name != coding);
        }
        None
    }
}

impl Resource for StaticFiles {
    fn methods(&self) -> Methods {
        Methods::GET
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render_get(&self, request: &Request) -> Reply {
        let served = self.serve(request);
        served
            .unwrap_or_else(|status| error_page(status, None))
            .into()
    }
}

impl fmt::Debug for StaticFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticFiles")
            .field("index_names", &self.index_names)
            .field("lists", &self.lists)
            .field("serves_hidden", &self.serves_hidden)
            .finish_non_exhaustive()
    }
}

/// The same path with a slash behind it (R155).
fn to_folder(request: &Request) -> Response {
    match TargetPath::parse(request.path()) {
        Ok(path) => redirect(StatusCode::FOUND, &path.with_slash(request.query())),
        Err(_) => error_page(StatusCode::BAD_REQUEST, None),
    }
}

fn join(folder: &str, name: &str) -> String {
    match folder {
        "" => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

fn is_hidden(path: &str) -> bool {
    let mut names = path.split('/');
    let first = names.next().unwrap_or_default();
    let hides = |name: &str| name.starts_with('.');
    hides(first) && first != ".well-known" || names.any(hides)
}

/// What an error of the disk says to a client: never more than whether it may, and whether there is something (R159).
fn status_of(error: &io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::CrossesDevices => StatusCode::NOT_FOUND,
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            StatusCode::NOT_FOUND
        }
        _ => {
            tracing::error!(%error, "a file cannot be opened");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}
