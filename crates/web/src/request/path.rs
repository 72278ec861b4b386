//! The path of a request, and the way that the request has gone along it.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::Request;
use crate::param_error::ParamError;

impl Request {
    /// The path as it was sent, percent-encoded, or as somebody has [rewritten](crate::Rewrite) it; `*` has none.
    pub fn path(&self) -> &str {
        match self.0.rewritten.get() {
            Some(path) => path,
            None => &self.0.path,
        }
    }

    /// The part of the path that no resource has passed, as it was sent: for a leaf, what is behind its own name.
    #[doc(alias = "postpath")]
    pub fn rest(&self) -> &str {
        &self.path()[self.0.passed.get()..]
    }

    /// The part of the path that was passed on the way to this resource, as it was sent.
    #[doc(alias = "prepath")]
    pub fn passed(&self) -> &str {
        &self.path()[..self.0.passed.get()]
    }

    /// The next segment of the path, decoded (R145); `None` at its end.
    ///
    /// # Errors
    ///
    /// The segment is not UTF-8 once it is decoded.
    pub fn next_segment(&self) -> Result<Option<Cow<'_, str>>, std::str::Utf8Error> {
        let Some(rest) = self.rest().strip_prefix('/') else {
            return Ok(None);
        };
        let segment = &rest[..slash(rest).unwrap_or(rest.len())];
        decoded(segment).map(Some)
    }

    /// Passes the next segment: what comes next belongs to a child.
    pub fn pass_segment(&self) {
        if let Some(rest) = self.rest().strip_prefix('/') {
            let length = 1 + slash(rest).unwrap_or(rest.len());
            self.0.passed.set(self.0.passed.get() + length);
        }
    }

    pub(crate) fn pass_all(&self) {
        self.0.passed.set(self.path().len());
    }

    /// A parameter of the route, decoded and read as the wanted type.
    ///
    /// # Errors
    ///
    /// The path says something else; by `?` in a handler that is a 404.
    pub fn param<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, ParamError> {
        let params = self.0.params.borrow();
        let found = params.iter().rfind(|(other, _)| **other == *name);
        let problem = match found.map(|(_, text)| text.parse()) {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => Some(error.to_string().into()),
            None => None,
        };
        let name = name.into();
        Err(ParamError { name, problem })
    }

    pub(crate) fn add_param(&self, name: &Rc<str>, value: String) {
        self.0.params.borrow_mut().push((Rc::clone(name), value));
    }

    /// Puts another path in the place of that which was sent, once; what was passed of it is to be passed again.
    pub(crate) fn rewrite_path(&self, path: String) {
        assert!(
            path.starts_with('/'),
            "a path was rewritten to {path:?}; let the rule give one that begins with a slash"
        );
        if self.0.rewritten.set(path.into()).is_ok() {
            self.0.passed.set(0);
        }
    }
}

/// A part of a path, decoded.
pub(crate) fn decoded(segment: &str) -> Result<Cow<'_, str>, std::str::Utf8Error> {
    match segment.bytes().any(|byte| byte == b'%') {
        false => Ok(Cow::Borrowed(segment)),
        true => percent_decode_str(segment).decode_utf8(),
    }
}

/// Where the next slash is. Segments are short: looking at each byte beats what is made for long texts.
pub(crate) fn slash(path: &str) -> Option<usize> {
    path.bytes().position(|byte| byte == b'/')
}
