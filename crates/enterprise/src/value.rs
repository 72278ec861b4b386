//! The values that go to a database and come from it.

use std::fmt::{self, Write};

/// A value in a database, as a parameter or in a row.
///
/// Shown as SQL would write it, except that text is bare and its control characters and backslashes are escaped: a value is
/// always one line without a tab, and nothing that a terminal would obey.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// A whole number; also truth, as 0 or 1.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Value {
    /// What kind of value it is, in a word: `null`, `integer`, `real`, `text` or `blob`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(_) => "real",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
        }
    }

    /// The memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let apart = match self {
            Self::Text(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            Self::Null | Self::Integer(_) | Self::Real(_) => 0,
        };
        size_of::<Self>() + apart
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(number) => number.fmt(f),
            Self::Real(number) => write!(f, "{number:?}"),
            Self::Text(text) => text.chars().try_for_each(|char| match char {
                '\\' => f.write_str("\\\\"),
                char if char.is_control() => write!(f, "{}", char.escape_default()),
                char => f.write_char(char),
            }),
            Self::Blob(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("'")
            }
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

value_from! {
    bool => Integer,
    i8 => Integer,
    i16 => Integer,
    i32 => Integer,
    i64 => Integer,
    u8 => Integer,
    u16 => Integer,
    u32 => Integer,
    f32 => Real,
    f64 => Real,
    &str => Text,
    String => Text,
    &[u8] => Blob,
    Vec<u8> => Blob,
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_value_is_one_line_without_tabs() {
        let shown = |value: Value| value.to_string();
        assert_eq!(shown(Value::from(None::<i64>)), "NULL");
        assert_eq!(shown(Value::from(true)), "1");
        assert_eq!(shown(Value::from(2.0)), "2.0");
        assert_eq!(
            shown(Value::from("a\tb\\n\nü\u{1b}")),
            "a\\tb\\\\n\\nü\\u{1b}"
        );
        assert_eq!(shown(Value::from(&[0x0a, 0xff][..])), "x'0aff'");
    }
}
