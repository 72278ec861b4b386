//! The path of a request: cut into segments, then decoded; and the file that it names below a root.
//!
//! For: routers (segments) and static files (a path below a root). Not for: opening files. Links and races are the business of whoever
//! opens, relative to the root's descriptor.
//!
//! ```text
//!   /a%2Fb/../c  ──cut──►  a%2Fb │ .. │ c  ──decode──►  "a/b" │ ".." │ "c"        segments()   R145
//!                                                          └─ no file has a name with a slash: 404      file_path()  H1-23
//! ```

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

/// A path of which every segment is decoded: one look at each byte, and one allocation if anything was encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPath<'a> {
    raw: &'a str,
    /// The segments with slashes between them; those that were encoded look the same, so `raw` says where to cut.
    decoded: Cow<'a, str>,
}

/// A path relative to a root, that leads nowhere but below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath<'a> {
    path: Cow<'a, str>,
    is_folder: bool,
}

/// Why a path is none, or names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// It does not begin with a slash.
    NotAbsolute,
    /// A `%` without two hexadecimal digits, at this byte.
    Escape(usize),
    /// An encoded NUL, at this byte: C would end the name there.
    Nul(usize),
    /// What is decoded is no UTF-8.
    NotUtf8,
    /// `..` leads out of the root.
    OutOfRoot,
    /// A segment that no file can be named by: it has a slash in it, or means something else to the system.
    NoFileName,
}

/// Cuts the target of a request at its `?`.
///
/// ```
/// assert_eq!(ropewalk_web::split_query("/a?b?c"), ("/a", Some("b?c")));
/// assert_eq!(ropewalk_web::split_query("/a"), ("/a", None));
/// ```
pub fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

impl<'a> TargetPath<'a> {
    /// Decodes a path, which has no query.
    ///
    /// # Errors
    ///
    /// When it does not begin with a slash, or what is encoded in it is no text.
    ///
    /// ```
    /// use ropewalk_web::TargetPath;
    ///
    /// let path = TargetPath::parse("/a%2Fb/caf%C3%A9/")?;
    /// assert_eq!(path.segments().collect::<Vec<_>>(), ["a/b", "café", ""]);
    /// # Ok::<(), ropewalk_web::PathError>(())
    /// ```
    pub fn parse(path: &'a str) -> Result<Self, PathError> {
        let raw = path.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
        if let Some(at) = path.bytes().position(|byte| byte == 0) {
            return Err(PathError::Nul(at));
        }
        let decoded = match raw.contains('%') {
            true => Cow::Owned(decoded(raw)?),
            false => Cow::Borrowed(raw),
        };
        Ok(Self { raw, decoded })
    }

    /// The decoded segments, in order; at least one. The last is empty if the path ends with a slash.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        self.raw.split('/').map(move |raw| {
            // Every escape is three bytes of text for one.
            let length = raw.len() - 2 * raw.bytes().filter(|&byte| byte == b'%').count();
            let segment = &self.decoded[start..start + length];
            start += length + 1;
            segment
        })
    }

    /// The file that is meant: repeated slashes count as one, `.` for nothing, and `..` takes back the segment before it, as nginx has it.
    ///
    /// # Errors
    ///
    /// [`PathError::OutOfRoot`] and [`PathError::NoFileName`], both to be answered by 404 (R154, H1-23).
    pub fn file_path(&self) -> Result<FilePath<'_>, PathError> {
        self.file_path_for(cfg!(windows))
    }

    fn file_path_for(&self, on_windows: bool) -> Result<FilePath<'_>, PathError> {
        let is_folder = matches!(self.segments().last(), Some("" | "." | ".."));
        if self.segments().any(|segment| !is_name(segment, on_windows)) {
            return Err(PathError::NoFileName);
        }
        let is_odd = |segment: &str| matches!(segment, "" | "." | "..");
        let whole = self.decoded.strip_suffix('/').unwrap_or(&self.decoded);
        // No segment has a slash in it: the decoded text can be cut as it is.
        let path = match whole.split('/').any(is_odd) {
            false => Cow::Borrowed(whole),
            true => Cow::Owned(resolved(whole)?),
        };
        Ok(FilePath { path, is_folder })
    }

    /// Where a folder that was asked for without its slash is to be found (R155): the same path, still encoded, with it.
    ///
    /// It begins with exactly one slash, whatever the path began with, as `//evil.example/` would name a host (H1-19); nor does a
    /// backslash follow, which browsers take for a slash.
    pub fn with_slash(&self, query: Option<&str>) -> String {
        let path = self.raw.trim_start_matches(['/', '\\']);
        let (mark, query) = match query {
            Some(query) => ("?", query),
            None => ("", ""),
        };
        let slash = if path.is_empty() { "" } else { "/" };
        format!("/{path}{slash}{mark}{query}")
    }
}

impl FilePath<'_> {
    /// The path below the root, with `/` between names and neither at its ends; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Whether it was asked for with a slash at its end.
    pub fn is_folder(&self) -> bool {
        self.is_folder
    }

    /// Whether a name in it begins with a dot: what such files hold is seldom for everybody.
    pub fn is_hidden(&self) -> bool {
        self.path.split('/').any(|name| name.starts_with('.'))
    }
}

fn decoded(raw: &str) -> Result<String, PathError> {
    let mut out = Vec::with_capacity(raw.len());
    let (bytes, mut at) = (raw.as_bytes(), 0);
    while let Some(&byte) = bytes.get(at) {
        if byte != b'%' {
            out.push(byte);
            at += 1;
            continue;
        }
        let digit = |at| {
            bytes
                .get(at)
                .and_then(|&byte: &u8| char::from(byte).to_digit(16))
        };
        // Places are those in the path, whose slash is not in `raw`.
        let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
            return Err(PathError::Escape(at + 1));
        };
        match (high << 4 | low) as u8 {
            0 => return Err(PathError::Nul(at + 1)),
            byte => out.push(byte),
        }
        at += 3;
    }
    let text = String::from_utf8(out).map_err(|_| PathError::NotUtf8)?;
    // A character that begins in one segment and ends in another would be text as a whole only.
    let is_cut = || cuts(raw).any(|at| !text.is_char_boundary(at));
    match is_cut() {
        true => Err(PathError::NotUtf8),
        false => Ok(text),
    }
}

/// Where the segments end in the decoded text.
fn cuts(raw: &str) -> impl Iterator<Item = usize> {
    raw.split('/').scan(0, |end, segment| {
        let escapes = segment.bytes().filter(|&byte| byte == b'%').count();
        *end += segment.len() - 2 * escapes + 1;
        Some(*end - 1)
    })
}

fn resolved(path: &str) -> Result<String, PathError> {
    let mut out = String::with_capacity(path.len());
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." if out.is_empty() => return Err(PathError::OutOfRoot),
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            name => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(name);
            }
        }
    }
    Ok(out)
}

/// Whether a segment can only be the name of a file where it stands.
fn is_name(segment: &str, on_windows: bool) -> bool {
    if segment.contains('/') {
        return false;
    }
    !on_windows || matches!(segment, "" | "." | "..") || is_windows_name(segment)
}

/// Drives and streams (`:`), backslashes, wildcards, devices, and what ends with a dot or a space, which Windows drops.
fn is_windows_name(segment: &str) -> bool {
    let has_mark = segment.contains(|char: char| "\\:*?\"<>|".contains(char) || char < ' ');
    let stem = segment.split('.').next().unwrap_or_default().trim_end();
    let is_device = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device))
        || is_numbered_device(stem);
    !has_mark && !is_device && !segment.ends_with(['.', ' '])
}

fn is_numbered_device(stem: &str) -> bool {
    let Some((name, number)) = stem.split_at_checked(3) else {
        return false;
    };
    let is_number = matches!(number, "¹" | "²" | "³") || matches!(number.as_bytes(), [b'0'..=b'9']);
    is_number && (name.eq_ignore_ascii_case("COM") || name.eq_ignore_ascii_case("LPT"))
}

impl PathError {
    /// What a server answers.
    pub fn status(&self) -> u16 {
        match self {
            Self::OutOfRoot | Self::NoFileName | Self::Nul(_) => 404,
            _ => 400,
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => f.write_str("the path does not begin with a slash"),
            Self::Escape(at) => {
                write!(
                    f,
                    "the % at byte {at} of the path needs two hexadecimal digits behind it"
                )
            }
            Self::Nul(at) => write!(f, "there is a NUL at byte {at} of the path"),
            Self::NotUtf8 => f.write_str("the path, decoded, is not UTF-8"),
            Self::OutOfRoot => f.write_str("the path leads out of the root"),
            Self::NoFileName => f.write_str("a segment of the path is no name of a file"),
        }
    }
}

impl Error for PathError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segments(path: &str) -> Result<Vec<String>, PathError> {
        TargetPath::parse(path).map(|path| path.segments().map(str::to_owned).collect())
    }

    fn file(path: &str, on_windows: bool) -> Result<(String, bool), PathError> {
        let path = TargetPath::parse(path)?;
        let file = path.file_path_for(on_windows)?;
        Ok((file.as_str().to_owned(), file.is_folder()))
    }

    #[test]
    fn r145_segments_are_cut_before_they_are_decoded() {
        for (path, expected) in [
            ("/", &[""][..]),
            ("/a/b", &["a", "b"]),
            ("/a//b/", &["a", "", "b", ""]),
            ("/a%2Fb/%2e%2E/c+d", &["a/b", "..", "c+d"]),
            ("/%e2%82%ac/%25", &["\u{20ac}", "%"]),
        ] {
            assert_eq!(segments(path).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn h1_23_what_cannot_be_decoded_is_refused() {
        for (path, error) in [
            ("", PathError::NotAbsolute),
            ("a", PathError::NotAbsolute),
            ("*", PathError::NotAbsolute),
            ("/%", PathError::Escape(1)),
            ("/a/%2", PathError::Escape(3)),
            ("/%zz", PathError::Escape(1)),
            ("/%+1", PathError::Escape(1)),
            ("/a%00.txt", PathError::Nul(2)),
            ("/a\0", PathError::Nul(2)),
            ("/%ff", PathError::NotUtf8),
            ("/%c0%ae%c0%ae", PathError::NotUtf8),
            ("/%c3/%a9", PathError::NotUtf8),
        ] {
            assert_eq!(segments(path), Err(error), "{path:?}");
            let names_nothing = matches!(error, PathError::Nul(_)); // D2
            assert_eq!(error.status(), if names_nothing { 404 } else { 400 });
        }
    }

    #[test]
    fn h1_23_files_are_below_the_root() {
        for (path, expected, is_folder) in [
            ("/", "", true),
            ("/a/b.txt", "a/b.txt", false),
            ("/a/", "a", true),
            ("//a//b", "a/b", false),
            ("/a/./b/.", "a/b", true),
            ("/a/b/../c", "a/c", false),
            ("/a/..", "", true),
            ("/a/%2e%2e/b", "b", false),
            ("/...", "...", false),
            ("/%25", "%", false),
            ("/.well-known/x", ".well-known/x", false),
        ] {
            let expected = Ok((expected.to_owned(), is_folder));
            assert_eq!(file(path, false), expected, "{path}");
        }
    }

    #[test]
    fn h1_23_no_way_leads_out_of_the_root() {
        for (path, error) in [
            ("/..", PathError::OutOfRoot),
            ("/../etc/passwd", PathError::OutOfRoot),
            ("/a/../../etc/passwd", PathError::OutOfRoot),
            ("/%2e%2e/%2E%2E/etc/passwd", PathError::OutOfRoot),
            ("/.%2e/x", PathError::OutOfRoot),
            ("/./../x", PathError::OutOfRoot),
            ("//../x", PathError::OutOfRoot),
            ("/%2fetc/passwd", PathError::NoFileName),
            ("/..%2f..%2fetc", PathError::NoFileName),
            ("/a/%2f", PathError::NoFileName),
        ] {
            assert_eq!(file(path, false), Err(error), "{path}");
            assert_eq!(error.status(), 404);
        }
    }

    #[test]
    fn h1_23_windows_has_more_ways_out() {
        for path in [
            "/..\\..\\x",
            "/%5c..%5cx",
            "/C:/x",
            "/C:",
            "/x::$DATA",
            "/x.",
            "/x%20",
            "/.../x",
            "/CON",
            "/nul.txt",
            "/a/Com1.html",
            "/LPT%C2%B9",
            "/aux%20.x",
            "/a%3fb",
            "/a%01",
        ] {
            assert_eq!(file(path, true), Err(PathError::NoFileName), "{path}");
        }
        for path in ["/a/../b.c", "/console", "/com10", "/.x"] {
            assert!(file(path, true).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_plain_path_allocates_nothing() {
        let path = TargetPath::parse("/a/b.txt").unwrap();
        assert!(matches!(path.decoded, Cow::Borrowed(_)));
        assert!(matches!(path.file_path().unwrap().path, Cow::Borrowed(_)));
        let path = TargetPath::parse("/a%20b/c").unwrap();
        assert!(matches!(
            path.file_path().unwrap().path,
            Cow::Borrowed("a b/c")
        ));
    }

    #[test]
    fn h1_19_a_redirect_stays_on_its_host() {
        let redirect = |path, query| TargetPath::parse(path).unwrap().with_slash(query);
        assert_eq!(redirect("/a%20b", Some("c=d")), "/a%20b/?c=d");
        assert_eq!(redirect("//evil.example", None), "/evil.example/");
        assert_eq!(redirect("/\\/evil.example", None), "/evil.example/");
        assert_eq!(redirect("///", None), "/");
    }

    #[test]
    fn hidden_files_are_known_by_their_dots() {
        let hidden = |path| {
            TargetPath::parse(path)
                .unwrap()
                .file_path()
                .unwrap()
                .is_hidden()
        };
        assert!(hidden("/.git/config") && hidden("/a/%2ehtpasswd"));
        assert!(!hidden("/a.b/c") && !hidden("/"));
    }

    proptest! {
        #[test]
        fn h1_23_any_path_stays_inside(path in "/([a./\\\\:]|%2[ef5]|%|\\PC){0,20}", on_windows in any::<bool>()) {
            if let Ok((file, _)) = file(&path, on_windows) {
                prop_assert!(!file.starts_with('/') && !file.ends_with('/'));
                prop_assert!(file.is_empty() || file.split('/').all(|name| !matches!(name, "" | "." | "..")));
            }
        }
    }
}
