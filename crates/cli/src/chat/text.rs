//! Bytes from strangers, made into text that no terminal obeys.
//!
//! What one client sends, another one's terminal shows. A terminal takes control bytes as orders: they move the cursor,
//! retitle windows, and on some terminals type commands. Direction marks turn a line around so that it reads as somebody
//! else's. So neither passes.

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

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

/// Characters that show nothing (Unicode's `Default_Ignorable_Code_Point`, and a blank pattern of Braille): with them two names
/// could look the same.
fn is_invisible(character: char) -> bool {
    let looks_like_nothing = || {
        skeleton(character.encode_utf8(&mut [0; 4]))
            .next()
            .is_none()
    };
    character == '\u{2800}' || (!character.is_ascii() && looks_like_nothing())
}

/// Those of them without which some names cannot be written: they join letters, or make a sign an emoji.
fn joins(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe0f}')
}

/// What a client of telnet says beside the text, left out: IAC and what belongs to it (RFC 854), of which no byte is UTF-8's.
pub(crate) fn without_telnet(line: &[u8]) -> Cow<'_, [u8]> {
    const IAC: u8 = 0xff;
    if !line.contains(&IAC) {
        return Cow::Borrowed(line);
    }
    let (mut text, mut rest) = (Vec::new(), line);
    while let [byte, more @ ..] = rest {
        rest = match (*byte, more) {
            (IAC, [0xfb..=0xfe, _option, after @ ..]) => after,
            (IAC, [0xfa, options @ ..]) => {
                let end = options.windows(2).position(|pair| pair == [IAC, 0xf0]);
                end.map_or(&[], |end| &options[end + 2..])
            }
            (IAC, [_command, after @ ..]) => after,
            (IAC, []) => &[],
            (byte, after) => {
                text.push(byte);
                after
            }
        };
    }
    Cow::Owned(text)
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
    /// It would break the lines that names are shown in (`ann: hello`, `ann, bob`), or look like the chat's own.
    Reserved(char),
}

/// What names are told apart by from what is around them.
const RESERVED: [char; 5] = [':', ',', '/', '*', '|'];

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
        let is_hidden = |character| is_invisible(character) && !joins(character);
        if name.contains(|character| is_hidden(character) || shown(character) != character)
            || name.contains('\u{fffd}')
        {
            return Err(BadName::Invisible);
        }
        let name = Self(name);
        let plain = name.folded();
        match plain.chars().find(|character| RESERVED.contains(character)) {
            Some(reserved) => Err(BadName::Reserved(reserved)),
            None if plain.trim().is_empty() => Err(BadName::Invisible),
            None => Ok(name),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for names that are the same but for how they are written: in upper or lower case, in one of the several ways that
    /// Unicode has (NFKC), with or without what joins letters. Rooms are told apart by it.
    pub(crate) fn folded(&self) -> String {
        let seen = self.0.chars().filter(|character| !joins(*character));
        let plain: String = seen.nfkc().collect();
        plain.to_lowercase().nfkc().collect()
    }

    /// The same for names that most people could not tell apart, folded, as with a Cyrillic а in `ann` (the skeleton of UTS 39).
    /// People are told apart by it, so that nobody can speak as somebody else. It is shown to nobody.
    pub(crate) fn looks(&self) -> String {
        skeleton(&self.folded()).collect()
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
        assert_eq!(problem("ann\u{e0041}"), BadName::Invisible);
        assert_eq!(problem("\u{200d}\u{fe0f}"), BadName::Invisible);
        assert_eq!(problem("ann\u{ff1a} hello"), BadName::Reserved(':'));
        assert_eq!(problem("| 12"), BadName::Reserved('|'));
        assert_eq!(Name::parse(b"\xff\xfe"), Err(BadName::Invisible));
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let folded = |text: &str| Name::parse(text.as_bytes()).unwrap().folded();
        for (one, other) in [
            ("zoë", "zoe\u{308}"),
            ("ann", "ann\u{fe0f}"),
            ("ann", "A\u{200d}nn"),
            ("ann", "\u{ff21}nn"),
            ("\u{1e9e}", "ß"),
            ("❤", "❤\u{fe0f}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one:?} {other:?}");
        }
        assert_ne!(folded("ann"), folded("anne"));
    }

    #[test]
    fn names_that_nobody_could_tell_apart_look_the_same() {
        let looks = |text: &str| Name::parse(text.as_bytes()).unwrap().looks();
        for (one, other) in [
            ("ann", "\u{430}nn"),
            ("Bob", "B\u{3bf}b"),
            ("paypal", "p\u{430}yp\u{430}1"),
            ("modern", "modem"),
            ("zoë", "ZOE\u{308}"),
        ] {
            assert_eq!(looks(one), looks(other), "{one:?} {other:?}");
        }
        for (one, other) in [
            ("ann", "anna"),
            ("r2", "r3"),
            ("zoë", "zoe"),
            ("李", "李雷"),
        ] {
            assert_ne!(looks(one), looks(other));
        }
    }

    #[test]
    fn what_telnet_says_beside_the_text_is_no_text() {
        let text = |line: &[u8]| without_telnet(line).into_owned();
        assert_eq!(text(b"\xff\xfb\x1f\xff\xfd\x03ann"), b"ann");
        assert_eq!(text(b"a\xff\xfa\x1f\0P\0\x18\xff\xf0b\xff\xf1"), b"ab");
        for torn in [&b"a\xff"[..], b"a\xff\xfa\x1f", b"a\xff\xfb"] {
            assert_eq!(text(torn), b"a");
        }
        assert!(matches!(without_telnet("ü".as_bytes()), Cow::Borrowed(_)));
    }
}
