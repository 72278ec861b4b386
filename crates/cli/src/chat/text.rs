//! Bytes from strangers, made into text that no terminal obeys.
//!
//! What one client sends, another one's terminal shows. A terminal takes control bytes as orders: they move the cursor,
//! retitle windows, and on some terminals type commands. Direction marks turn a line around so that it reads as somebody
//! else's. So neither passes.

use std::fmt;

/// A line as others may see it: invalid UTF-8 and direction marks are shown as �, control bytes as pictures (␛).
pub(crate) fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().map(shown).collect()
}

fn shown(character: char) -> char {
    match character {
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)).unwrap_or('\u{fffd}'),
        '\x7f' => '␡',
        _ if character.is_control() || turns_text(character) => '\u{fffd}',
        _ => character,
    }
}

/// Marks of direction, and the separators that some terminals take as a line's end.
fn turns_text(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters that show nothing: with them two names could look the same.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200d}'
            | '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fffd}'
    )
}

/// A name that can be shown, and that nobody can take for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// Why a line is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    Empty,
    TooLong,
    Invisible,
    /// It would break the lines that names are shown in: `ann: hello`, `ann, bob`.
    Reserved(char),
}

impl Name {
    /// Enough for any name, and short enough that it cannot fill a screen.
    pub(crate) const LIMIT_CHARACTERS: usize = 32;

    /// Reads a name; spaces around it do not count, and several in it count as one.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, BadName> {
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = text.split_whitespace().collect();
        let name = words.join(" ");
        if name.is_empty() {
            return Err(BadName::Empty);
        }
        if name.chars().count() > Self::LIMIT_CHARACTERS {
            return Err(BadName::TooLong);
        }
        if name.contains(|character| is_invisible(character) || shown(character) != character) {
            return Err(BadName::Invisible);
        }
        match name
            .chars()
            .find(|character| [':', ',', '/', '*'].contains(character))
        {
            Some(reserved) => Err(BadName::Reserved(reserved)),
            None => Ok(Self(name)),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for names that differ only in upper and lower case.
    pub(crate) fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("A name has at least one letter."),
            Self::TooLong => write!(
                f,
                "A name has at most {} characters.",
                Name::LIMIT_CHARACTERS
            ),
            Self::Invisible => {
                f.write_str("A name has only characters that can be seen, in UTF-8.")
            }
            Self::Reserved(character) => write!(f, "A name has no {character} in it."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_reach_nobody() {
        assert_eq!(printable(b"\x1b[2J\x07hi\tthere\r"), "␛[2J␇hi there␍");
        assert_eq!(
            printable("a\u{9b}31m\u{202e}b\u{2028}c".as_bytes()),
            "a\u{fffd}31m\u{fffd}b\u{fffd}c"
        );
        assert_eq!(printable(b"caf\xe9"), "caf\u{fffd}");
        for byte in 0..=u8::MAX {
            assert!(!printable(&[byte]).contains(char::is_control), "{byte}");
        }
    }

    #[test]
    fn text_of_all_languages_passes() {
        for text in ["grüße, 世界", "👩‍👩‍👧 سلام", "नमस्ते"] {
            assert_eq!(printable(text.as_bytes()), text);
        }
    }

    #[test]
    fn names_are_trimmed_and_compared_without_case() {
        let name = Name::parse(b"  Ann \t Lee\r").unwrap();
        assert_eq!(name.to_string(), "Ann Lee");
        assert_eq!(name.folded(), Name::parse(b"ANN LEE").unwrap().folded());
        assert!(Name::parse("नमस्ते".as_bytes()).is_ok());
    }

    #[test]
    fn bad_names_say_why() {
        let problem = |text: &str| Name::parse(text.as_bytes()).unwrap_err();
        assert_eq!(problem(" \r"), BadName::Empty);
        assert_eq!(problem(&"x".repeat(33)), BadName::TooLong);
        assert_eq!(problem("a\u{1b}[31m"), BadName::Invisible);
        assert_eq!(problem("ann\u{200b}"), BadName::Invisible);
        assert_eq!(problem("\u{202e}nna"), BadName::Invisible);
        assert_eq!(problem("ann: hello"), BadName::Reserved(':'));
        assert_eq!(problem("ann, bob"), BadName::Reserved(','));
        assert_eq!(Name::parse(b"\xff\xfe"), Err(BadName::Invisible));
    }
}
