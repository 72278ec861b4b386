//! Writing a multipart body.

use std::error::Error;
use std::fmt;

use super::Boundary;
use crate::http1::scan;

/// Writes the parts of a form, one after another; content between them is yours to append.
///
/// ```
/// use ropewalk_grammar::multipart::{Boundary, MultipartEncoder, Part};
///
/// let encoder = MultipartEncoder::new(Boundary::new("rope")?);
/// let mut body = Vec::new();
/// encoder.send_part(&Part::new("note"), &mut body)?;
/// body.extend_from_slice(b"tea");
/// encoder.send_part_end(&mut body);
/// encoder.send_end(&mut body);
/// assert_eq!(body, b"--rope\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\ntea\r\n--rope--\r\n");
/// assert_eq!(encoder.content_type(), "multipart/form-data; boundary=\"rope\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct MultipartEncoder {
    boundary: Boundary,
}

/// The head of a part that is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    name: &'a str,
    filename: Option<&'a str>,
    content_type: Option<&'a str>,
}

/// A part that cannot be sent: what of it has a control character that would begin a field or a part of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartError {
    /// The name.
    Name,
    /// The filename.
    Filename,
    /// The content type.
    ContentType,
}

impl<'a> Part<'a> {
    /// A part of that name. Quotes and line breaks in it are written as browsers do (`%22`, `%0D`, `%0A`).
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            filename: None,
            content_type: None,
        }
    }

    /// The same, being a file.
    #[must_use]
    pub fn filename(mut self, filename: &'a str) -> Self {
        self.filename = Some(filename);
        self
    }

    /// The same, with a type.
    #[must_use]
    pub fn content_type(mut self, content_type: &'a str) -> Self {
        self.content_type = Some(content_type);
        self
    }
}

impl MultipartEncoder {
    /// Parts with that boundary between them. Take [`Boundary::of_random`] for content that is not yours, or ask
    /// [`Boundary::is_in`].
    pub fn new(boundary: Boundary) -> Self {
        Self { boundary }
    }

    /// Appends the boundary and the head of a part.
    ///
    /// # Errors
    ///
    /// When a text has a control character; `out` is then unchanged.
    pub fn send_part(&self, part: &Part<'_>, out: &mut Vec<u8>) -> Result<(), PartError> {
        let name = quoted(part.name).ok_or(PartError::Name)?;
        let filename = part
            .filename
            .map(|text| quoted(text).ok_or(PartError::Filename));
        let filename = filename.transpose()?;
        if let Some(text) = part.content_type
            && !text.bytes().all(scan::is_text)
        {
            return Err(PartError::ContentType);
        }
        self.send_boundary(out);
        out.extend_from_slice(b"\r\nContent-Disposition: form-data; name=\"");
        out.extend_from_slice(name.as_bytes());
        if let Some(filename) = filename {
            out.extend_from_slice(b"\"; filename=\"");
            out.extend_from_slice(filename.as_bytes());
        }
        out.extend_from_slice(b"\"\r\n");
        if let Some(text) = part.content_type {
            out.extend_from_slice(b"Content-Type: ");
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Appends what follows the content of a part.
    pub fn send_part_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the last boundary.
    pub fn send_end(&self, out: &mut Vec<u8>) {
        self.send_boundary(out);
        out.extend_from_slice(b"--\r\n");
    }

    /// The type of the body, for its `Content-Type`.
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary=\"{}\"", self.boundary)
    }

    fn send_boundary(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"--");
        out.extend_from_slice(self.boundary.as_str().as_bytes());
    }
}

/// As it stands between quotes. A backslash is doubled, so that the reading end, which knows two ways to escape, finds one.
fn quoted(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            '\\' => out.push_str("\\\\"),
            '\t' => out.push(char),
            char if char.is_ascii_control() => return None,
            char => out.push(char),
        }
    }
    Some(out)
}

impl fmt::Display for PartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Name => "name",
            Self::Filename => "filename",
            Self::ContentType => "content type",
        };
        write!(
            f,
            "the {what} of a part has a control character; leave it out"
        )
    }
}

impl Error for PartError {}
