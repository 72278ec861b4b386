//! The text of a file, where its things stand in it, and what is wrong with them.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use ropewalk::Failure;
use toml::de::DeTable;

use super::Complaints;
use super::keys::Keys;

pub(super) struct Document {
    name: String,
    text: String,
    complaints: Complaints,
}

/// Something wrong, and where.
pub(super) struct Complaint {
    place: Range<usize>,
    message: String,
}

impl Complaint {
    pub(super) fn new(place: Range<usize>, message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self { place, message }
    }
}

impl Document {
    pub(super) fn new(name: String, text: String) -> Self {
        let complaints = Rc::new(RefCell::default());
        Self {
            name,
            text,
            complaints,
        }
    }

    /// Reads the keys of the file; one that is left over is wrong.
    ///
    /// # Errors
    ///
    /// The text is no TOML.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut Keys<'_>) -> T) -> Result<T, Failure> {
        let table = DeTable::parse(&self.text).map_err(|error| {
            self.complain(error.span().unwrap_or(0..0), error.message());
            self.outcome().expect_err("something is wrong")
        })?;
        let mut keys = Keys::new(table.get_ref(), table.span(), "", &self.complaints);
        Ok(read(&mut keys))
    }

    pub(super) fn complain(&self, place: Range<usize>, message: impl fmt::Display) {
        let complaint = Complaint::new(place, message);
        self.complaints.borrow_mut().push(complaint);
    }

    pub(super) fn is_right(&self) -> bool {
        self.complaints.borrow().is_empty()
    }

    /// Everything that is wrong, in the order of the file, a line each; and then forgotten.
    pub(super) fn outcome(&self) -> Result<(), Failure> {
        let mut complaints = self.complaints.take();
        if complaints.is_empty() {
            return Ok(());
        }
        complaints.sort_by_key(|complaint| complaint.place.start);
        let lines = complaints.iter().map(|complaint| {
            let (line, column) = self.position(complaint.place.start);
            let message = complaint.message.replace(char::is_control, "\u{fffd}");
            format!("{}:{line}:{column}: {message}", self.name)
        });
        Err(Failure::message(lines.collect::<Vec<_>>().join("\n")))
    }

    /// Line and column, both from 1; a column is a character.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(at)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}
