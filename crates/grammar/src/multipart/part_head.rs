//! The head of a part.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::parameter::{Parameter, unquoted};
use super::{Limits, Rule};
use crate::http1::scan;

/// What stands before the content of a part, lent from the received bytes.
#[derive(Clone, Copy)]
pub struct PartHead<'a> {
    text: &'a str,
    spans: Spans,
}

/// Where in the head its known values lie.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spans {
    disposition: Option<Span>,
    name: Option<Span>,
    filename: Option<Span>,
    extended_filename: Option<Span>,
    content_type: Option<Span>,
}

/// Positions fit: no head is longer than 65 535 bytes.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u16,
    end: u16,
}

impl<'a> PartHead<'a> {
    /// The head of these bytes, whose spans were read from them.
    pub(super) fn new(bytes: &'a [u8], spans: Spans) -> Self {
        let text = std::str::from_utf8(bytes).expect("Spans::read has seen that it is UTF-8");
        Self { text, spans }
    }

    /// The name of the part, without escapes.
    pub fn name(&self) -> Option<Cow<'a, str>> {
        self.span(self.spans.name).map(unquoted)
    }

    /// The name of the file that the content was, without escapes and without folders: what stands behind the last `/` or `\`, and nothing
    /// for `.` and `..`. `filename*` goes before `filename`.
    ///
    /// An empty name is what browsers send if no file was chosen. Whatever it is, it is the peer's choice: do not store a file under it.
    pub fn filename(&self) -> Option<Cow<'a, str>> {
        let whole = match self.span(self.spans.extended_filename) {
            Some(text) => Cow::Owned(decoded(text)?),
            None => unquoted(self.span(self.spans.filename)?),
        };
        Some(match whole {
            Cow::Borrowed(text) => Cow::Borrowed(last_segment(text)),
            Cow::Owned(text) => Cow::Owned(last_segment(&text).to_owned()),
        })
    }

    /// The type of the content, as it is written. It is text if there is none (RFC 7578 4.4).
    pub fn content_type(&self) -> Option<&'a str> {
        self.span(self.spans.content_type)
    }

    /// The value of the first field of that name, in any case.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.fields()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Name and value of each field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let lines = self.text.split_terminator("\r\n");
        lines.filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.trim_matches([' ', '\t'])))
        })
    }

    pub(super) fn as_bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    fn span(&self, span: Option<Span>) -> Option<&'a str> {
        span.map(|span| &self.text[usize::from(span.start)..usize::from(span.end)])
    }
}

impl Spans {
    /// Reads a head: whole lines, without the empty one.
    ///
    /// # Errors
    ///
    /// The rule that is broken, and where in `head`.
    pub(super) fn read(head: &[u8], limits: &Limits, is_form: bool) -> Result<Self, (Rule, usize)> {
        std::str::from_utf8(head).map_err(|error| (Rule::NotUtf8, error.valid_up_to()))?;
        let (mut spans, mut start) = (Self::default(), 0);
        while start < head.len() {
            let name_end = run_end(head, start, scan::is_token);
            if name_end == start || head.get(name_end) != Some(&b':') {
                return Err((Rule::Field, name_end));
            }
            let end = run_end(head, name_end, scan::is_text);
            if head.get(end..end + 2) != Some(b"\r\n") {
                return Err((Rule::Field, end));
            }
            let value = trimmed(head, name_end + 1..end);
            spans.note(head, start..name_end, value, limits, is_form)?;
            start = end + 2;
        }
        match spans.name {
            None if is_form => Err((Rule::NameMissing, 0)),
            _ => Ok(spans),
        }
    }

    fn note(
        &mut self,
        head: &[u8],
        name: Range<usize>,
        value: Range<usize>,
        limits: &Limits,
        is_form: bool,
    ) -> Result<(), (Rule, usize)> {
        let at = name.start;
        let name = &head[name];
        if name.eq_ignore_ascii_case(b"Content-Type") {
            set(&mut self.content_type, &value).map_err(|rule| (rule, at))
        } else if name.eq_ignore_ascii_case(b"Content-Disposition") {
            set(&mut self.disposition, &value).map_err(|rule| (rule, at))?;
            self.note_disposition(head, value, limits, is_form)
        } else if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            let plain: [&[u8]; 3] = [b"7bit", b"8bit", b"binary"];
            let is_plain = |plain: &[u8]| head[value.clone()].eq_ignore_ascii_case(plain);
            match plain.into_iter().any(is_plain) {
                true => Ok(()),
                false => Err((Rule::TransferEncoding, value.start)),
            }
        } else {
            Ok(())
        }
    }

    fn note_disposition(
        &mut self,
        head: &[u8],
        value: Range<usize>,
        limits: &Limits,
        is_form: bool,
    ) -> Result<(), (Rule, usize)> {
        let kind = value.start..run_end(head, value.start, scan::is_token);
        let is_right = match is_form {
            true => head[kind.clone()].eq_ignore_ascii_case(b"form-data"),
            false => !kind.is_empty(),
        };
        if !is_right {
            return Err((Rule::Disposition, value.start));
        }
        let mut at = kind.end;
        while let Some(parameter) =
            Parameter::read(&head[..value.end], &mut at).map_err(|at| (Rule::Disposition, at))?
        {
            let start = parameter.name.start;
            self.note_parameter(head, &parameter, limits)
                .map_err(|rule| (rule, start))?;
        }
        Ok(())
    }

    fn note_parameter(
        &mut self,
        head: &[u8],
        parameter: &Parameter,
        limits: &Limits,
    ) -> Result<(), Rule> {
        let name = &head[parameter.name.clone()];
        let place = if name.eq_ignore_ascii_case(b"name") {
            &mut self.name
        } else if name.eq_ignore_ascii_case(b"filename") {
            &mut self.filename
        } else if name.eq_ignore_ascii_case(b"filename*") {
            let text = std::str::from_utf8(&head[parameter.value.clone()]).ok();
            text.and_then(decoded).ok_or(Rule::ExtendedFilename)?;
            &mut self.extended_filename
        } else {
            return Ok(());
        };
        if parameter.value.len() > limits.name_bytes {
            return Err(Rule::NameTooLong);
        }
        set(place, &parameter.value)
    }
}

fn set(place: &mut Option<Span>, range: &Range<usize>) -> Result<(), Rule> {
    let span = Span {
        start: range.start as u16,
        end: range.end as u16,
    };
    match place.replace(span) {
        Some(_) => Err(Rule::Repeated),
        None => Ok(()),
    }
}

fn run_end(bytes: &[u8], at: usize, allowed: impl Fn(u8) -> bool) -> usize {
    let run = bytes[at..].iter().take_while(|&&byte| allowed(byte));
    at + run.count()
}

fn trimmed(bytes: &[u8], mut range: Range<usize>) -> Range<usize> {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t');
    while range.start < range.end && is_blank(bytes[range.start]) {
        range.start += 1;
    }
    while range.start < range.end && is_blank(bytes[range.end - 1]) {
        range.end -= 1;
    }
    range
}

/// What an extended value says (RFC 8187): `UTF-8'language'percent-encoded`, without controls.
fn decoded(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_language, rest) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let (mut out, mut bytes) = (Vec::with_capacity(rest.len()), rest.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            byte => byte,
        });
    }
    let text = String::from_utf8(out).ok()?;
    (!text.chars().any(char::is_control)).then_some(text)
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

/// RFC 7578 4.2: folders are not to be believed.
fn last_segment(text: &str) -> &str {
    match text.rsplit(['/', '\\']).next() {
        None | Some("." | "..") => "",
        Some(segment) => segment,
    }
}

impl PartialEq for PartHead<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PartHead<'_> {}

impl fmt::Debug for PartHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields()).finish()
    }
}
