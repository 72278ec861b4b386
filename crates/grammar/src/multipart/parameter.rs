//! Parameters behind a value: `;name=token` and `;name="text"` (RFC 9110 5.6.6).

use std::borrow::Cow;
use std::ops::Range;

use crate::http1::scan;

/// Where one parameter lies; its value without quotes, still escaped.
pub(super) struct Parameter {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

impl Parameter {
    /// The parameter behind `at`, which moves on; `None` at the end.
    ///
    /// # Errors
    ///
    /// The byte that is wrong.
    pub(super) fn read(bytes: &[u8], at: &mut usize) -> Result<Option<Self>, usize> {
        let mut next = after(bytes, *at, is_blank);
        while next < bytes.len() {
            if bytes[next] != b';' {
                return Err(next);
            }
            let name = after(bytes, next + 1, is_blank);
            next = after(bytes, name, scan::is_token);
            if next > name {
                let (value, end) = read_value(bytes, next)?;
                *at = end;
                return Ok(Some(Self {
                    name: name..next,
                    value,
                }));
            }
        }
        Ok(None)
    }
}

/// The value behind the equals sign at `at`, and where it ends.
fn read_value(bytes: &[u8], at: usize) -> Result<(Range<usize>, usize), usize> {
    if bytes.get(at) != Some(&b'=') {
        return Err(at);
    }
    let start = at + 1;
    if bytes.get(start) == Some(&b'"') {
        let end = quote_end(bytes, start + 1)?;
        return Ok((start + 1..end, end + 1));
    }
    match after(bytes, start, scan::is_token) {
        end if end > start => Ok((start..end, end)),
        end => Err(end),
    }
}

/// Where the quote is that ends the text from `at`.
fn quote_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let mut end = at;
    loop {
        match bytes.get(end) {
            Some(b'"') => return Ok(end),
            Some(b'\\') if matches!(bytes.get(end + 1), Some(b'"' | b'\\')) => end += 2,
            Some(_) => end += 1,
            None => return Err(end),
        }
    }
}

fn after(bytes: &[u8], at: usize, allowed: impl Fn(u8) -> bool) -> usize {
    let run = bytes[at..].iter().take_while(|&&byte| allowed(byte));
    at + run.count()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What a quoted text says.
pub(super) fn unquoted(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') && !text.contains("%22") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '%']) {
        out.push_str(&rest[..at]);
        let escape = [("\\\"", '"'), ("\\\\", '\\'), ("%22", '"')]
            .into_iter()
            .find(|(written, _)| rest[at..].starts_with(written));
        let (written, meant) = match escape {
            Some((written, meant)) => (written.len(), meant),
            None => (1, char::from(rest.as_bytes()[at])),
        };
        out.push(meant);
        rest = &rest[at + written..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
