//! A table that is read key by key, and knows which it was asked for.

use std::fmt::Display;
use std::ops::Range;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use ropewalk::endpoint::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Complaints;
use super::document::Complaint;

/// The keys of one table. When it is dropped, those that nobody asked for are wrong.
pub(super) struct Keys<'a> {
    table: &'a DeTable<'a>,
    place: Range<usize>,
    /// The table's own name, for people.
    name: String,
    known: Vec<String>,
    complaints: Complaints,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Range<usize>,
}

/// A key that means an option of a subcommand. No values: it is switched on.
pub(super) struct Setting {
    pub(super) key: At<String>,
    pub(super) values: Vec<At<String>>,
    pub(super) place: Range<usize>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(
        table: &'a DeTable<'a>,
        place: Range<usize>,
        name: &str,
        complaints: &Complaints,
    ) -> Self {
        Self {
            table,
            place,
            name: name.to_owned(),
            known: Vec::new(),
            complaints: Rc::clone(complaints),
        }
    }

    pub(super) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    pub(super) fn complain(&self, place: Range<usize>, message: impl Display) {
        let complaint = Complaint::new(place, message);
        self.complaints.borrow_mut().push(complaint);
    }

    fn take(&mut self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key.to_owned());
        self.table.get(key)
    }

    /// The value of a key as the closure understands it; `wanted` says what it should be.
    fn take_as<T>(
        &mut self,
        key: &str,
        wanted: &str,
        understand: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<At<T>> {
        let found = self.take(key)?;
        let place = found.span();
        match understand(found.get_ref()) {
            Some(value) => Some(At { value, place }),
            None => {
                let given = shown(found.get_ref());
                self.complain(place, format_args!("{key:?} must be {wanted}, not {given}"));
                None
            }
        }
    }

    pub(super) fn string(&mut self, key: &str) -> Option<At<String>> {
        self.take_as(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn flag(&mut self, key: &str) -> bool {
        let flag = self.take_as(key, "true or false", DeValue::as_bool);
        flag.is_some_and(|flag| flag.value)
    }

    /// A string that means something else.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        let At { value, place } = self.string(key)?;
        match value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.complain(place, format_args!("{key:?} is {value:?}: {error}"));
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Option<usize> {
        let wanted = "a whole number from 1 on";
        let positive = |value| whole(value).filter(|number| *number > 0);
        self.take_as(key, wanted, positive).map(|found| found.value)
    }

    pub(super) fn count(&mut self, key: &str) -> Option<usize> {
        let found = self.take_as(key, "a whole number from 0 on", whole);
        found.map(|found| found.value)
    }

    pub(super) fn seconds(&mut self, key: &str) -> Option<At<Duration>> {
        self.take_as(key, "a number of seconds", seconds)
    }

    /// Seconds, or `false` for no limit at all.
    pub(super) fn seconds_or_false(&mut self, key: &str) -> Option<Option<Duration>> {
        let understand = |value: &DeValue<'_>| match value.as_bool() {
            Some(false) => Some(None),
            _ => seconds(value).map(Some),
        };
        let found = self.take_as(
            key,
            "a number of seconds, or false for no limit",
            understand,
        );
        found.map(|found| found.value)
    }

    /// [`seconds_or_false`](Self::seconds_or_false), and more than none.
    pub(super) fn some_seconds_or_false(&mut self, key: &str) -> Option<Option<Duration>> {
        let understand = |value: &DeValue<'_>| match value.as_bool() {
            Some(false) => Some(None),
            _ => seconds(value).filter(|time| !time.is_zero()).map(Some),
        };
        let wanted = "a number of seconds from above 0, or false for never";
        self.take_as(key, wanted, understand)
            .map(|found| found.value)
    }

    /// A string, or several.
    pub(super) fn strings(&mut self, key: &str) -> Option<Vec<At<String>>> {
        let (place, value) = self
            .take(key)
            .map(|found| (found.span(), found.get_ref()))?;
        let texts = texts(place.clone(), value);
        if texts.is_none() {
            let given = shown(value);
            let message = format!("{key:?} must be a string, or an array of strings, not {given}");
            self.complain(place, message);
        }
        texts
    }

    /// All keys that nobody asked for yet; those that are `false` left out.
    pub(super) fn rest(&mut self) -> Vec<Setting> {
        let table = self.table;
        let mut rest = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            if self.known.contains(&name) {
                continue;
            }
            self.known.push(name.clone());
            let place = key.span();
            rest.extend(self.setting(At { value: name, place }, value));
        }
        rest
    }

    fn setting(&self, key: At<String>, found: &Spanned<DeValue<'_>>) -> Option<Setting> {
        let (place, value) = (found.span(), found.get_ref());
        let values = match (value.as_bool(), texts(place.clone(), value)) {
            (Some(false), _) => return None,
            (Some(true), _) => Vec::new(),
            (None, Some(texts)) => texts,
            (None, None) => {
                let kind = value.type_str();
                self.complain(
                    place,
                    format_args!("{:?} cannot be of type {kind}", key.value),
                );
                return None;
            }
        };
        Some(Setting { key, values, place })
    }

    pub(super) fn table(&mut self, key: &str) -> Option<Keys<'a>> {
        let found = self.take_as(key, "a table", DeValue::as_table)?;
        Some(Keys::new(found.value, found.place, key, &self.complaints))
    }

    /// The tables of an array of tables.
    pub(super) fn tables(&mut self, key: &str) -> Vec<Keys<'a>> {
        let Some(found) = self.take_as(key, "tables, each headed [[…]]", DeValue::as_array)
        else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in found.value.iter() {
            match element.get_ref().as_table() {
                Some(table) => tables.push(Keys::new(table, element.span(), key, &self.complaints)),
                None => self.complain(
                    element.span(),
                    format_args!("{key:?} must be headed [[{key}]]"),
                ),
            }
        }
        tables
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        for key in self.table.keys() {
            let word = key.get_ref().to_string();
            if self.known.contains(&word) {
                continue;
            }
            let meant = suggestion(&word, &self.known);
            let place = match self.name.as_str() {
                "" => String::new(),
                name => format!(" in {name:?}"),
            };
            let known = self.known.join(", ");
            let message = format!("unknown key {word:?}{place}{meant}; known: {known}");
            self.complain(key.span(), message);
        }
    }
}

/// What was probably meant, as the end of an error.
pub(super) fn suggestion(word: &str, known: &[String]) -> String {
    let meant = nearest(word, known);
    meant.map_or(String::new(), |meant| format!(", did you mean {meant:?}?"))
}

/// What was given, as the file has it; of an array or a table its type.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => format!("{} {}", article(value), value.type_str()),
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Array(_) => "an",
        _ => "a",
    }
}

fn whole(value: &DeValue<'_>) -> Option<usize> {
    let number = value.as_integer()?;
    usize::from_str_radix(number.as_str(), number.radix()).ok()
}

fn seconds(value: &DeValue<'_>) -> Option<Duration> {
    if let Some(seconds) = whole(value) {
        return Some(Duration::from_secs(seconds as u64));
    }
    let seconds: f64 = value.as_float()?.as_str().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn texts(place: Range<usize>, value: &DeValue<'_>) -> Option<Vec<At<String>>> {
    if let Some(array) = value.as_array() {
        let each = array.iter().map(|element| {
            let value = text(element.get_ref())?;
            let place = element.span();
            Some(At { value, place })
        });
        return each.collect();
    }
    let value = text(value)?;
    Some(vec![At { value, place }])
}

fn text(value: &DeValue<'_>) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    if let Some(number) = value.as_integer() {
        return i128::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|number| number.to_string());
    }
    value.as_float().map(|number| number.as_str().to_owned())
}
