//! Values of a database as types of Rust.

use crate::value::Value;

/// What a [`Value`] can be read as.
pub trait FromValue<'a>: Sized {
    /// What is wanted, for an error.
    const WANTED: &'static str;

    /// The value, if it is of this kind and fits.
    fn from_value(value: &'a Value) -> Option<Self>;
}

macro_rules! integers {
    ($($type:ty: $wanted:literal),+ $(,)?) => {$(
        impl FromValue<'_> for $type {
            const WANTED: &'static str = $wanted;

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Integer(number) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        }
    )+};
}

integers! {
    i64: "an integer",
    i32: "an integer of 32 bits",
    i16: "an integer of 16 bits",
    u64: "an integer from 0 on",
    u32: "an integer from 0 on of 32 bits",
    u16: "an integer from 0 to 65535",
    u8: "an integer from 0 to 255",
    usize: "an integer from 0 on",
}

/// 0 or 1.
impl FromValue<'_> for bool {
    const WANTED: &'static str = "0 or 1";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            _ => None,
        }
    }
}

/// Integers too: a database may store 2.0 as 2. Beyond 2⁵³ they are rounded.
impl FromValue<'_> for f64 {
    const WANTED: &'static str = "a number";

    #[expect(clippy::cast_precision_loss, reason = "said above")]
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(*number as Self),
            Value::Real(number) => Some(*number),
            _ => None,
        }
    }
}

impl<'a> FromValue<'a> for &'a str {
    const WANTED: &'static str = "text";

    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue<'_> for String {
    const WANTED: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        <&str>::from_value(value).map(str::to_owned)
    }
}

impl<'a> FromValue<'a> for &'a [u8] {
    const WANTED: &'static str = "a blob";

    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl FromValue<'_> for Vec<u8> {
    const WANTED: &'static str = "a blob";

    fn from_value(value: &Value) -> Option<Self> {
        <&[u8]>::from_value(value).map(<[u8]>::to_vec)
    }
}

impl<'a, T: FromValue<'a>> FromValue<'a> for Option<T> {
    const WANTED: &'static str = T::WANTED;

    fn from_value(value: &'a Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}
