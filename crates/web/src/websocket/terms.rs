//! What both ends agreed on beside compression.

/// What was agreed on by name. Most WebSockets have none, and no memory for it.
pub(super) struct Terms {
    pub(super) subprotocol: Option<String>,
    /// As they stand in the answer.
    pub(super) extensions: String,
}

impl Terms {
    pub(super) fn of(subprotocol: Option<String>, extensions: &[String]) -> Option<Box<Self>> {
        let is_any = subprotocol.is_some() || !extensions.is_empty();
        is_any.then(|| {
            Box::new(Self {
                subprotocol,
                extensions: extensions.join(", "),
            })
        })
    }
}
