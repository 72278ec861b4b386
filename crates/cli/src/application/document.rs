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
        let mut position = Position::new(&self.text);
        let lines = complaints.iter().map(|complaint| {
            let (line, column) = position.of(complaint.place.start);
            let message = complaint.message.replace(char::is_control, "\u{fffd}");
            format!("{}:{line}:{column}: {message}", self.name)
        });
        Err(Failure::message(lines.collect::<Vec<_>>().join("\n")))
    }
}

/// Line and column, of one place after the other: so that many complaints take no longer than a file is long.
struct Position<'a> {
    text: &'a str,
    line: usize,
    line_start: usize,
    at: usize,
}

impl<'a> Position<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            line: 1,
            line_start: 0,
            at: 0,
        }
    }

    /// Both from 1; a column is a character. No place may come before the one that was asked for last.
    fn of(&mut self, place: usize) -> (usize, usize) {
        let place = self.text.floor_char_boundary(place);
        let between = &self.text[self.at.min(place)..place];
        self.line += between.matches('\n').count();
        if let Some(last) = between.rfind('\n') {
            self.line_start = place - between.len() + last + 1;
        }
        self.at = place;
        let column = self.text[self.line_start..place].chars().count() + 1;
        (self.line, column)
    }
}
