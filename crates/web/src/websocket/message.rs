//! A message that is kept.

use bytes::Bytes;
use ropewalk_core::buffer::let_go_shared;

/// A message, whole.
///
/// ```
/// use ropewalk_web::websocket::Message;
///
/// let (text, data) = (Message::from("tea"), Message::from(vec![1, 2, 3]));
/// assert_eq!((text.as_text(), data.as_text()), (Some("tea"), None));
/// assert_eq!(text.len() + data.as_bytes().len(), 6);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// It was sent: frees it, so that a long one leaves nothing behind.
    pub(super) fn let_go(self) {
        match self {
            Self::Text(text) => let_go_shared(text.into()),
            Self::Binary(data) => let_go_shared(data),
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::Binary(data.into())
    }
}
