//! An answer that is no WebSocket.

use ropewalk_grammar::http1::Name;
use ropewalk_grammar::websocket::HandshakeRule;

/// Why a server does not make a WebSocket of a request, and what it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) status: u16,
    pub(super) fields: Vec<(Name, &'static str)>,
    pub(super) text: String,
}

impl Refusal {
    /// An answer of one's own, with a text for people.
    ///
    /// # Panics
    ///
    /// When the status is not from 400 to 599.
    #[must_use]
    pub fn new(status: u16, text: impl Into<String>) -> Self {
        assert!(
            (400..600).contains(&status),
            "Refusal::new({status}): give a status from 400 to 599"
        );
        Self {
            status,
            fields: Vec::new(),
            text: text.into(),
        }
    }

    /// The status to answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The fields that belong to it.
    #[must_use]
    pub fn fields(&self) -> &[(Name, &'static str)] {
        &self.fields
    }

    /// What to tell people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<HandshakeRule> for Refusal {
    fn from(rule: HandshakeRule) -> Self {
        Self {
            status: rule.status(),
            fields: rule.fields().to_vec(),
            text: rule.to_string(),
        }
    }
}
