//! The type of a file by its name.
//!
//! Not for: looking into files. Guessing a type from content is how a harmless upload becomes a script.

use std::fmt;

/// What the name of a file says of its content (R156).
///
/// ```
/// use ropewalk_web::FileType;
///
/// let file = FileType::of_name("notes.TXT.gz");
/// assert_eq!(file.content_type().unwrap().to_string(), "text/plain; charset=utf-8");
/// assert_eq!(file.content_encoding(), Some("gzip"));
/// assert_eq!(FileType::of_name("README").content_type(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileType {
    essence: Option<&'static str>,
    encoding: Option<&'static str>,
}

/// A media type, with the charset of those that are text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentType(&'static str);

/// Endings that stand for an encoding of what the name before them says.
const ENCODINGS: [(&str, &str); 4] = [
    ("gz", "gzip"),
    ("bz2", "bzip2"),
    ("br", "br"),
    ("zst", "zstd"),
];

impl FileType {
    /// Reads a name, which may be a path. Capitals do not matter.
    ///
    /// An ending of the four encodings counts as one only if the name before it has a type: `photo.gz` is `application/gzip`.
    pub fn of_name(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or_default();
        let (stem, ending) = split_ending(name);
        let coded = ENCODINGS
            .iter()
            .find(|(known, _)| ending.eq_ignore_ascii_case(known));
        if let Some((_, encoding)) = coded
            && let Some(essence) = essence_of(split_ending(stem).1)
        {
            return Self {
                essence: Some(essence),
                encoding: Some(encoding),
            };
        }
        let is_svgz = ending.eq_ignore_ascii_case("svgz");
        Self {
            essence: essence_of(ending),
            encoding: is_svgz.then_some("gzip"),
        }
    }

    /// The type, if the ending is known. What is not had better be `application/octet-stream`, which no browser runs.
    pub fn content_type(&self) -> Option<ContentType> {
        self.essence.map(ContentType)
    }

    /// The value of `Content-Encoding`, if the content is encoded.
    pub fn content_encoding(&self) -> Option<&'static str> {
        self.encoding
    }
}

impl ContentType {
    /// The type without a charset.
    pub fn essence(&self) -> &'static str {
        self.0
    }

    /// Whether it is text, of which we say that it is UTF-8.
    pub fn is_text(&self) -> bool {
        self.0.starts_with("text/")
    }

    /// Whether it is worth compressing on its way.
    pub fn is_compressible(&self) -> bool {
        is_compressible(self.0)
    }
}

/// Whether a type, in small letters, is worth compressing.
pub(crate) fn is_compressible(essence: &str) -> bool {
    let is_markup = essence.ends_with("+xml") || essence.ends_with("+json");
    let others = [
        "application/json",
        "application/javascript",
        "application/xml",
        "application/wasm",
        "image/bmp",
    ];
    essence.starts_with("text/") || is_markup || others.contains(&essence)
}

/// As it stands in the field.
impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        match self.is_text() {
            true => f.write_str("; charset=utf-8"),
            false => Ok(()),
        }
    }
}

/// What stands before the last dot, and behind it; a dot at the beginning hides a file and ends nothing.
fn split_ending(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => (stem, ending),
        _ => (name, ""),
    }
}

fn essence_of(ending: &str) -> Option<&'static str> {
    mime_guess::from_ext(ending).first_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r156_types_come_from_the_ending() {
        for (name, content_type, encoding) in [
            ("a.html", "text/html; charset=utf-8", None),
            ("x/y.JPG", "image/jpeg", None),
            ("a.js", "text/javascript; charset=utf-8", None),
            ("a.json", "application/json", None),
            ("a.wasm", "application/wasm", None),
            ("a.css.br", "text/css; charset=utf-8", Some("br")),
            ("A.TAR.BZ2", "application/x-tar", Some("bzip2")),
            ("a.svgz", "image/svg+xml", Some("gzip")),
            ("photo.gz", "application/gzip", None),
        ] {
            let file = FileType::of_name(name);
            let found = file.content_type().map(|found| found.to_string());
            assert_eq!(found.as_deref(), Some(content_type), "{name}");
            assert_eq!(file.content_encoding(), encoding, "{name}");
        }
        for name in ["", "README", ".html", "a.", "a.html/b", "a.odd-ending"] {
            assert_eq!(FileType::of_name(name).content_type(), None, "{name}");
        }
    }

    #[test]
    fn text_is_worth_compressing_and_pictures_are_not() {
        let is = |name| {
            FileType::of_name(name)
                .content_type()
                .unwrap()
                .is_compressible()
        };
        assert!(is("a.txt") && is("a.svg") && is("a.json") && !is("a.png") && !is("a.zip"));
    }
}
