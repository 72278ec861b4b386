//! Why a template cannot be read, or not be rendered.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use minijinja::ErrorKind;

use crate::templates::TemplateLimits;

/// What is wrong, with the template and the line where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    template: Option<Box<str>>,
    line: Option<usize>,
    reason: Box<str>,
}

impl TemplateError {
    /// Of no template.
    pub(crate) fn new(reason: impl Into<Box<str>>) -> Self {
        Self {
            template: None,
            line: None,
            reason: reason.into(),
        }
    }

    pub(crate) fn of(template: &str, reason: impl Into<Box<str>>) -> Self {
        Self {
            template: Some(template.into()),
            ..Self::new(reason)
        }
    }

    /// The innermost place is where the error is; those around it only include it.
    pub(crate) fn of_engine(
        error: &minijinja::Error,
        template: &str,
        limits: TemplateLimits,
    ) -> Self {
        let mut inner = error;
        while let Some(next) = inner
            .source()
            .and_then(|source| source.downcast_ref::<minijinja::Error>())
        {
            inner = next;
        }
        Self {
            template: Some(inner.name().unwrap_or(template).into()),
            line: inner.line(),
            reason: reason(inner, limits).into(),
        }
    }

    /// Whose error it is: the template's name below its folder. None if the folder cannot be read.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// The line, from 1, if it is known.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

fn reason(error: &minijinja::Error, limits: TemplateLimits) -> String {
    let culprit = culprit(error);
    let remedy = "give it in the context, or say by the filter `default` what stands in its place";
    match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, Some(detail)) => format!("{detail}; {remedy}"),
        (ErrorKind::UndefinedError, None) => format!("there is no value{culprit}; {remedy}"),
        (ErrorKind::OutOfFuel, _) => format!(
            "it takes more than {} steps; bound what it loops over, or raise TemplateLimits::steps",
            limits.steps
        ),
        (kind, Some(detail)) => format!("{kind}: {detail}{culprit}"),
        (kind, None) => format!("{kind}{culprit}"),
    }
}

/// The expression in which it happened, as it stands in the template.
fn culprit(error: &minijinja::Error) -> String {
    let expression = |range: Range<usize>| error.template_source()?.get(range);
    match error.range().and_then(expression).map(str::trim) {
        Some(text) if !text.is_empty() && !text.contains('\n') => format!(" `{text}`"),
        _ => String::new(),
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(template) = &self.template {
            write!(f, "template {template}")?;
            if let Some(line) = self.line {
                write!(f, ", line {line}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.reason)
    }
}

impl Error for TemplateError {}
