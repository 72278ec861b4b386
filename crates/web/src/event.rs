//! One server-sent event (HTML 9.2).

use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Duration;

use bytes::Bytes;

/// An event for browsers that listen with `EventSource`.
///
/// ```
/// use ropewalk_web::Event;
///
/// let event = Event::new("two\nlines").named("tea")?.with_id("7")?;
/// assert_eq!(event.to_string(), "id: 7\nevent: tea\ndata: two\ndata: lines\n\n");
/// assert!(Event::new("").named("tea\ndata: forged").is_err());
/// # Ok::<(), ropewalk_web::EventError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    data: Box<str>,
    name: Option<Box<str>>,
    id: Option<Box<str>>,
    retry: Option<Duration>,
}

/// A name or an id that has a line break, with which it would be more than one field, or a NUL, with which browsers ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventError;

impl Event {
    /// An event with this data, which may have any number of lines; the browser sees each line break as `\n`.
    pub fn new(data: impl Into<Box<str>>) -> Self {
        Self {
            data: data.into(),
            name: None,
            id: None,
            retry: None,
        }
    }

    /// The same of this type, for which a page listens by name; without one it is a `message`.
    ///
    /// # Errors
    ///
    /// The name has a line break or a NUL.
    pub fn named(mut self, name: &str) -> Result<Self, EventError> {
        self.name = Some(one_line(name)?);
        Ok(self)
    }

    /// The same with an id, which the browser sends when it comes back, so that it gets what it missed.
    ///
    /// # Errors
    ///
    /// The id has a line break or a NUL.
    pub fn with_id(mut self, id: &str) -> Result<Self, EventError> {
        self.id = Some(one_line(id)?);
        Ok(self)
    }

    /// The same; from here on the browser waits so long before it comes back, to the millisecond.
    #[must_use]
    pub fn with_retry(mut self, retry: Duration) -> Self {
        self.retry = Some(retry);
        self
    }

    /// The id, if it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        self.to_string().into()
    }
}

fn one_line(text: &str) -> Result<Box<str>, EventError> {
    match text.contains(['\r', '\n', '\0']) {
        true => Err(EventError),
        false => Ok(text.into()),
    }
}

/// As it is sent.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.id {
            writeln!(f, "id: {id}")?;
        }
        if let Some(name) = &self.name {
            writeln!(f, "event: {name}")?;
        }
        if let Some(retry) = &self.retry {
            writeln!(f, "retry: {}", retry.as_millis())?;
        }
        // CRLF is one break, and CR alone is one too.
        let data = self.data.replace("\r\n", "\n");
        for line in data.split(['\n', '\r']) {
            writeln!(f, "data: {line}")?;
        }
        f.write_char('\n')
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the name or id of an event has a line break or a NUL; put such text into the data",
        )
    }
}

impl Error for EventError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_three_line_breaks_part_lines() {
        let sent = Event::new("a\r\nb\rc\n\nd\r\n").to_string();
        assert_eq!(
            sent,
            "data: a\ndata: b\ndata: c\ndata: \ndata: d\ndata: \n\n"
        );
        assert_eq!(Event::new("").to_string(), "data: \n\n");
        let slow = Event::new("x").with_retry(Duration::from_secs(2));
        assert_eq!(slow.to_string(), "retry: 2000\ndata: x\n\n");
    }

    #[test]
    fn ids_and_names_of_more_than_a_line_are_errors() {
        for text in ["a\nb", "a\rb", "a\0b"] {
            assert_eq!(Event::new("").with_id(text), Err(EventError));
            assert_eq!(Event::new("").named(text), Err(EventError));
        }
    }

    proptest! {
        /// What a browser reads from it is one event with that data, and nothing else.
        #[test]
        fn data_never_becomes_another_field(data in "([a-z:\r\n]|id: |event: |\\PC){0,20}") {
            let sent = Event::new(&*data).to_string();
            let (fields, end) = sent.split_at(sent.len() - 2);
            prop_assert_eq!(end, "\n\n");
            let read: Option<Vec<&str>> =
                fields.split(['\r', '\n']).map(|line| line.strip_prefix("data: ")).collect();
            let wanted = data.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(read.map(|lines| lines.join("\n")), Some(wanted));
        }
    }
}
