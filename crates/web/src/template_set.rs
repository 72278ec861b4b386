//! Compiled templates, and one page made of them within the limits.
//!
//! Not for: where they come from, and what is answered.

use std::cell::Cell;
use std::io;

use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::template_error::TemplateError;
use crate::template_folder::{Files, TemplateFolder};
use crate::templates::TemplateLimits;

/// How many times a value may be formatted on its way into a page.
const PASSES: usize = 4;

/// Compiled templates, and what their files were.
pub(crate) struct TemplateSet {
    environment: Environment<'static>,
    pub(crate) limits: TemplateLimits,
    pub(crate) files: Files,
}

impl TemplateSet {
    pub(crate) fn empty(limits: TemplateLimits) -> Self {
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

    pub(crate) fn read(
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

    pub(crate) fn add(&mut self, name: String, text: String) -> Result<(), TemplateError> {
        let added = self.environment.add_template_owned(name.clone(), text);
        added.map_err(|error| TemplateError::of_engine(&error, &name, self.limits))
    }

    pub(crate) fn within(&self, limits: TemplateLimits) -> Self {
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(limits.steps));
        environment.set_recursion_limit(limits.depth);
        Self {
            environment,
            limits,
            files: self.files.clone(),
        }
    }

    pub(crate) fn render(&self, name: &str, context: Value) -> Result<String, TemplateError> {
        let found = self.environment.get_template(name);
        let template = found.map_err(|error| match error.kind() {
            ErrorKind::TemplateNotFound => TemplateError::of(name, self.names_instead()),
            _ => TemplateError::of_engine(&error, name, self.limits),
        })?;
        let mut page = Page {
            text: Vec::new(),
            most: self.limits.output_bytes,
            is_full: false,
        };
        let before = UNFORMATTED.replace(self.limits.output_bytes.saturating_mul(PASSES));
        let rendered = template.render_captured_to(context, &mut page);
        UNFORMATTED.set(before);
        match rendered.map(drop) {
            Ok(()) => Ok(String::from_utf8(page.text).expect("it was written as text")),
            Err(_) if page.is_full => Err(TemplateError::of(name, too_long(self.limits))),
            Err(error) => Err(TemplateError::of_engine(&error, name, self.limits)),
        }
    }

    pub(crate) fn names(&self) -> Vec<&str> {
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
pub(crate) fn without_suffix(name: &str) -> &str {
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
