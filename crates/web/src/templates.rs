//! Pages made of templates, which escape what they are given.
//!
//! ```text
//!   folder ── all read and compiled at the start ──► Templates ── render(name, context) ──► Response
//! ```
//!
//! For: pages of an application, in the language of Jinja. Templates are trusted, as code is; data is not. Not for: templates
//! that users write.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value};
use ropewalk_core::Failure;
use serde::Serialize;

use crate::content_type::FileType;
use crate::response::Response;
use crate::template_error::TemplateError;
use crate::template_folder::{Files, TemplateFolder};

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
    /// Steps of the engine, a few for each expression: a million, which hold up the reactor for some 50 ms. Against loops that write
    /// little and last.
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

/// How many times a value may be formatted on its way into a page.
const PASSES: usize = 4;

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
    set: Arc<Set>,
    limits: TemplateLimits,
    source: Option<Arc<Mutex<Source>>>,
    is_reloading: bool,
}

/// Compiled templates, and what their files were.
struct Set {
    environment: Environment<'static>,
    limits: TemplateLimits,
    files: Files,
}

/// Where templates come from, and what was last made of them.
struct Source {
    folder: TemplateFolder,
    latest: Arc<Set>,
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
        let latest = Arc::new(Set::read(&folder, folder.look()?, limits)?);
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
        let mut set = Set::empty(limits);
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
        let set = self.current()?;
        let found = set.environment.get_template(name);
        let template = found.map_err(|error| match error.kind() {
            ErrorKind::TemplateNotFound => TemplateError::of(name, set.names_instead()),
            _ => TemplateError::of_engine(&error, name, self.limits),
        })?;
        let mut page = Page {
            text: Vec::new(),
            most: self.limits.output_bytes,
            is_full: false,
        };
        let before = UNFORMATTED.replace(self.limits.output_bytes.saturating_mul(PASSES));
        let rendered = template.render_captured_to(Value::from(Serde(context)), &mut page);
        UNFORMATTED.set(before);
        match rendered.map(drop) {
            Ok(()) => Ok(String::from_utf8(page.text).expect("it was written as text")),
            Err(_) if page.is_full => Err(TemplateError::of(name, too_long(self.limits))),
            Err(error) => Err(TemplateError::of_engine(&error, name, self.limits)),
        }
    }

    fn current(&self) -> Result<Arc<Set>, TemplateError> {
        let Some(source) = self.source.as_ref().filter(|_| self.is_reloading) else {
            return Ok(Arc::clone(&self.set));
        };
        let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
        let files = source.folder.look()?;
        if (&files, self.limits) != (&source.latest.files, source.latest.limits) {
            source.latest = Arc::new(Set::read(&source.folder, files, self.limits)?);
        }
        Ok(Arc::clone(&source.latest))
    }
}

impl Set {
    fn empty(limits: TemplateLimits) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(escape_of);
        environment.set_formatter(format_counted);
        // So that errors know the expression. What else they then know is shown nowhere.
        environment.set_debug(true);
        let set = Self {
            environment,
            limits,
            files: Files::new(),
        };
        set.within(limits)
    }

    fn read(
        folder: &TemplateFolder,
        files: Files,
        limits: TemplateLimits,
    ) -> Result<Self, TemplateError> {
        let mut set = Self::empty(limits);
        for (name, _) in &files {
            set.add(name.clone(), folder.read(name)?)?;
        }
        set.files = files;
        Ok(set)
    }

    fn add(&mut self, name: String, text: String) -> Result<(), TemplateError> {
        let added = self.environment.add_template_owned(name.clone(), text);
        added.map_err(|error| TemplateError::of_engine(&error, &name, self.limits))
    }

    fn within(&self, limits: TemplateLimits) -> Self {
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(limits.steps));
        environment.set_recursion_limit(limits.depth);
        Self {
            environment,
            limits,
            files: self.files.clone(),
        }
    }

    fn names(&self) -> Vec<&str> {
        let templates = self.environment.templates();
        let mut names: Vec<_> = templates.map(|(name, _)| name).collect();
        names.sort_unstable();
        names
    }

    /// What is said to those who ask for another.
    fn names_instead(&self) -> String {
        const MOST_SHOWN: usize = 10;

        let names = self.names();
        let shown = names[..names.len().min(MOST_SHOWN)].join(", ");
        match names.len() {
            0 => "there is none of this name, nor any other".to_owned(),
            count if count > MOST_SHOWN => {
                format!("there is none of this name; there are {count}: {shown}, …")
            }
            _ => format!("there is none of this name; there are {shown}"),
        }
    }
}

/// A page being written, no longer than it may be.
struct Page {
    text: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl io::Write for &mut Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.most - self.text.len() {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

thread_local! {
    /// How many bytes of values the page that this thread renders may still format.
    static UNFORMATTED: Cell<usize> = const { Cell::new(0) };
}

/// Formats a value, and counts it: what is captured by `set` or a macro reaches no page for long, and would fill the memory.
fn format_counted(
    output: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    /// Of numbers and the like.
    const SHORT: usize = 8;

    let length = value.as_str().map_or(SHORT, str::len);
    let Some(left) = UNFORMATTED.get().checked_sub(length) else {
        let problem = "more text passes through `set`, macros and filters than TemplateLimits::output_bytes allows";
        return Err(minijinja::Error::new(ErrorKind::WriteFailure, problem));
    };
    UNFORMATTED.set(left);
    if !matches!(state.auto_escape(), AutoEscape::Json) || value.is_safe() {
        return minijinja::escape_formatter(output, state, value);
    }
    // The engine's own JSON has `</script>` as it is, and a script may be included in a page.
    let json = state.apply_filter("tojson", std::slice::from_ref(value))?;
    Ok(output.write_str(json.as_str().unwrap_or_default())?)
}

/// What is not known to be plain is escaped.
fn escape_of(name: &str) -> AutoEscape {
    let name = without_suffix(name);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "txt" | "text" | "md" | "csv" => AutoEscape::None,
        "json" | "js" => AutoEscape::Json,
        _ => AutoEscape::Html,
    }
}

/// The name of what is made: `hello.html` of `hello.html.j2`.
fn without_suffix(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, "j2" | "jinja" | "jinja2")) => stem,
        _ => name,
    }
}

fn too_long(limits: TemplateLimits) -> String {
    format!(
        "the page has more than {} bytes; show less of the data at once, or raise TemplateLimits::output_bytes",
        limits.output_bytes
    )
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates")
            .field("names", &self.set.names())
            .field("is_reloading", &self.is_reloading)
            .finish_non_exhaustive()
    }
}
