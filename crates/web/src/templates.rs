//! Pages made of templates, which escape what they are given.
//!
//! ```text
//!   folder ── all read and compiled at the start ──► Templates ── render(name, context) ──► Response
//! ```
//!
//! For: pages of an application, in the language of Jinja. Templates are trusted, as code is; data is not. Not for: templates
//! that users write.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use minijinja::Value;
use minijinja::value::Serde;
use ropewalk_core::Failure;
use serde::Serialize;

use crate::content_type::FileType;
use crate::response::Response;
use crate::template_error::TemplateError;
use crate::template_folder::TemplateFolder;
use crate::template_set::{TemplateSet, without_suffix};

/// How much a page may take. Templates are trusted; these are against data of clients that is larger, or deeper, than the author
/// thought: a list of a million names, a tree of comments that answers itself.
///
/// What a filter is told to make (`"-" * n`, `indent(n)`, `range(n)`) is made before it is counted: give no numbers of clients to
/// them unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateLimits {
    /// Bytes of a page: 4 MiB. Against memory that is filled by loops over what clients sent. Values may pass through `set`, macros
    /// and blocks of filters before they are written; four times as many bytes of them may.
    pub output_bytes: usize,
    /// Steps of the engine, a few for each expression: a million. A page holds up the reactor while it is made: against loops that
    /// write little and last.
    pub steps: u64,
    /// Depth, of which a macro or an include takes about ten: 250, and never more than 500. Against the stack's end, where recursive
    /// macros follow nested data.
    pub depth: usize,
}

impl Default for TemplateLimits {
    fn default() -> Self {
        Self {
            output_bytes: 4 * 1024 * 1024,
            steps: 1_000_000,
            depth: 250,
        }
    }
}

/// Templates, compiled, in the language of Jinja: `{{ values }}`, `{% for … %}`, `{% include "…" %}`, `{% extends "…" %}`.
///
/// A template is named by its path below the folder, `shop/cup.html`. There are no others than those that were read, so no name,
/// wherever it comes from, leaves the folder. A value that is not in the context is an error, not an empty text.
///
/// The ending of the name says how values are escaped, capitals or not, and before `.j2`, `.jinja` or `.jinja2` if it ends so:
///
/// | ending | values are |
/// | --- | --- |
/// | `.txt`, `.text`, `.md`, `.csv` | as they are |
/// | `.json`, `.js` | JSON, safe in a script |
/// | `.html`, `.htm`, `.xml`, and all others | escaped for HTML |
///
/// In HTML write attributes in quotes, `<a title="{{ title }}">`, and values into scripts by `{{ value|tojson }}`. What `|safe` marks
/// is not escaped; a `javascript:` in an `href` is a link that escaping does not stop: check what clients gave as addresses.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Request, Router, Site, Templates};
///
/// let templates = Templates::from_texts([
///     ("base.html", "<title>{% block title %}{% endblock %}</title>{% block body %}{% endblock %}"),
///     ("hello.html", "{% extends 'base.html' %}{% block body %}<p>Hello, {{ name }}!{% endblock %}"),
/// ])?;
/// let hello = move |request: &Request| {
///     let name: String = request.param("name")?;
///     templates.render("hello.html", BTreeMap::from([("name", name)]))
/// };
/// let mut client = StringTransport::builder().factory(Site::new(Router::new().get("/{name}", hello)));
/// client.receive("GET /%3Cb%3E HTTP/1.1\r\nHost: a\r\n\r\n");
/// let sent = String::from_utf8(client.take_sent())?;
/// assert!(sent.contains("text/html; charset=utf-8"));
/// assert!(sent.ends_with("<title></title><p>Hello, &lt;b&gt;!"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is cheaply cloned, and sent to other threads: the sites of many cores share one.
#[derive(Clone)]
pub struct Templates {
    set: Arc<TemplateSet>,
    limits: TemplateLimits,
    source: Option<Arc<Mutex<Source>>>,
    is_reloading: bool,
}

/// Where templates come from, and what was last made of them.
struct Source {
    folder: TemplateFolder,
    latest: Arc<TemplateSet>,
}

impl Templates {
    /// Reads and compiles all templates of a folder and the folders in it, but for files that begin with a dot or end with `~`.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, a file in it is no text, or a template is wrong: which, in what line, and why. What only shows when
    /// it is rendered, as a wrong name of a filter or an included template, shows then.
    pub fn of(folder: impl AsRef<Path>) -> Result<Self, TemplateError> {
        let limits = TemplateLimits::default();
        let folder = TemplateFolder::open(folder.as_ref())?;
        let latest = Arc::new(TemplateSet::read(&folder, folder.look()?, limits)?);
        Ok(Self {
            set: Arc::clone(&latest),
            limits,
            source: Some(Arc::new(Mutex::new(Source { folder, latest }))),
            is_reloading: false,
        })
    }

    /// Compiles templates given as names and texts: for tests, or by `include_str!` into the program.
    ///
    /// # Errors
    ///
    /// A template is wrong: which, in what line, and why.
    pub fn from_texts<N, T>(texts: impl IntoIterator<Item = (N, T)>) -> Result<Self, TemplateError>
    where
        N: Into<String>,
        T: Into<String>,
    {
        let limits = TemplateLimits::default();
        let mut set = TemplateSet::empty(limits);
        for (name, text) in texts {
            set.add(name.into(), text.into())?;
        }
        Ok(Self {
            set: Arc::new(set),
            limits,
            source: None,
            is_reloading: false,
        })
    }

    /// The same, for development: looks at all files before each page, and reads them anew when one changed, came or went. A wrong
    /// one is then the answer of each page, until it is right. Those that are given as texts stay as they are.
    #[must_use]
    pub fn reloading(self) -> Self {
        Self {
            is_reloading: true,
            ..self
        }
    }

    /// The same within other limits.
    #[must_use]
    pub fn with_limits(self, limits: TemplateLimits) -> Self {
        Self {
            set: Arc::new(self.set.within(limits)),
            limits,
            ..self
        }
    }

    /// A page: 200, with the type that the template's name says.
    ///
    /// `context` is what the template may name: a struct, a map or JSON, by serde.
    ///
    /// # Errors
    ///
    /// A [`TemplateError`]: there is no such template, a value that it names is not in the context, or it takes more than the
    /// [limits](TemplateLimits). As an answer that is 500, and in the log is the template with the line.
    pub fn render(&self, name: &str, context: impl Serialize) -> Result<Response, Failure> {
        let page = self.render_text(name, context).map_err(Failure::new)?;
        Ok(
            match FileType::of_name(without_suffix(name)).content_type() {
                Some(known) if known.essence() == "text/html" => Response::html(page),
                Some(known) => {
                    let known = HeaderValue::try_from(known.to_string());
                    Response::new(page).of_type(known.expect("types are visible ASCII"))
                }
                None => Response::text(page),
            },
        )
    }

    /// The same as text: for mail, or as part of something else.
    ///
    /// # Errors
    ///
    /// As those of [`render`](Self::render).
    pub fn render_text(
        &self,
        name: &str,
        context: impl Serialize,
    ) -> Result<String, TemplateError> {
        self.current()?.render(name, Value::from(Serde(context)))
    }

    fn current(&self) -> Result<Arc<TemplateSet>, TemplateError> {
        let Some(source) = self.source.as_ref().filter(|_| self.is_reloading) else {
            return Ok(Arc::clone(&self.set));
        };
        let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
        let files = source.folder.look()?;
        if (&files, self.limits) != (&source.latest.files, source.latest.limits) {
            source.latest = Arc::new(TemplateSet::read(&source.folder, files, self.limits)?);
        }
        Ok(Arc::clone(&source.latest))
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates")
            .field("names", &self.set.names())
            .field("is_reloading", &self.is_reloading)
            .finish_non_exhaustive()
    }
}
