//! Text in which nothing but text is left.

use std::fmt;

use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultVisitor, Writer};

/// Formats the fields of events and spans as `tracing-subscriber` does by default, and escapes every control character in
/// them: a line break from the network begins no line of the log, and an escape sequence reaches no terminal.
///
/// ```
/// use ropewalk::log::EscapedFields;
///
/// let subscriber = tracing_subscriber::fmt().fmt_fields(EscapedFields).finish();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct EscapedFields;

impl<'writer> FormatFields<'writer> for EscapedFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut escaping = Escaping(writer);
        let mut visitor = DefaultVisitor::new(Writer::new(&mut escaping), true);
        fields.record(&mut visitor);
        visitor.finish()
    }
}

struct Escaping<W>(W);

impl<W: fmt::Write> fmt::Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_unsafe) {
            let (before, from) = rest.split_at(at);
            self.0.write_str(before)?;
            let mut characters = from.chars();
            let found = characters.next().unwrap_or_default();
            write!(self.0, "{}", found.escape_default())?;
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// What moves a cursor, ends a line, or makes a line read otherwise than it is written (U+202A and its like).
fn is_unsafe(character: char) -> bool {
    let reorders = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || reorders || matches!(character, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(data)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn h1_18_control_characters_are_escaped_wherever_they_come_from() {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(EscapedFields)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let evil = "a\r\n2026-01-01 INFO all is well\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\0ü";
        tracing::subscriber::with_default(subscriber, || {
            let _inside = tracing::info_span!("span", evil, shown = %evil, debug = ?evil).entered();
            tracing::info!(evil, shown = %evil, "message {evil}");
        });
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let line = log.strip_suffix('\n').unwrap();
        assert!(!line.contains(is_unsafe), "{line:?}");
        assert_eq!(line.matches(r"\r\n2026-01-01").count(), 6, "{line}");
        assert!(line.contains('ü'));
    }
}
