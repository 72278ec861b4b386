//! The page of a folder without an index (R155).

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::time::SystemTime;

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::file_tree::FileEntry;
use crate::http_date::HttpDate;
use crate::page::{Escaped, PAGE_POLICY};
use crate::response::Response;

/// How many lines a listing has at most: each is a look at the disk, which holds up the loop, and of ten thousand nobody reads more.
pub(super) const MOST_ENTRIES: usize = 10_000;

/// All that means nothing special stands for itself; a colon would make a scheme of what is before it.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;background:Canvas;color:CanvasText;font:1rem/1.5 system-ui,sans-serif}\
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}\
h1{margin:0 0 1rem;font-size:1.4rem;font-weight:600;overflow-wrap:anywhere}\
table{width:100%;border-collapse:collapse}\
th{text-align:left;font-weight:600;border-bottom:1px solid color-mix(in srgb,CanvasText 30%,Canvas)}\
td{border-bottom:1px solid color-mix(in srgb,CanvasText 10%,Canvas)}\
th,td{padding:.45rem .6rem}\
th a{color:inherit;text-decoration:none}\
th a:hover,th a:focus-visible{text-decoration:underline}\
td:first-child{width:100%}\
td:first-child,th:first-child{overflow-wrap:anywhere;padding-left:0}\
td:first-child a{display:block}\
.n{text-align:right;font-variant-numeric:tabular-nums}\
.n,.d{white-space:nowrap}\
td.n,td.d{opacity:.75}\
tbody tr:hover{background:color-mix(in srgb,CanvasText 5%,Canvas)}\
a{color:LinkText;text-underline-offset:.15em}\
p{opacity:.75}\
@media(max-width:34rem){.d{display:none}main{padding:1rem .75rem 2rem}th,td{padding:.6rem .4rem}}";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Size,
    Date,
}

/// How the lines are sorted: `?sort=size&order=desc`.
#[derive(Clone, Copy)]
struct Sorting {
    column: Column,
    is_descending: bool,
}

const COLUMNS: [(Column, &str, &str, &str); 3] = [
    (Column::Name, "name", "Name", "t"),
    (Column::Size, "size", "Size", "n"),
    (Column::Date, "date", "Modified", "d"),
];

/// The page for what is in a folder.
pub(super) fn page(path: &str, mut entries: Vec<FileEntry>, query: Option<&str>) -> Response {
    let sorting = Sorting::of(query);
    let is_cut = entries.len() >= MOST_ENTRIES;
    entries.sort_by(|a, b| sorting.compare(a, b));
    let text = format!(
        "{}",
        Listing {
            path,
            entries: &entries,
            sorting,
            is_cut
        }
    );
    let mut response = Response::html(text);
    let headers = response.headers_mut();
    let safe = [
        ("Content-Security-Policy", PAGE_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-cache"),
    ];
    for (name, value) in safe {
        let name = name.try_into().expect("it is a token");
        headers.push(name, HeaderValue::from_static(value));
    }
    response
}

impl Sorting {
    fn of(query: Option<&str>) -> Self {
        let has = |wanted: &str| query.is_some_and(|query| query.split('&').any(|q| q == wanted));
        let column = match (has("sort=size"), has("sort=date")) {
            (true, _) => Column::Size,
            (_, true) => Column::Date,
            _ => Column::Name,
        };
        Self {
            column,
            is_descending: has("order=desc"),
        }
    }

    /// Folders are always first.
    fn compare(self, a: &FileEntry, b: &FileEntry) -> Ordering {
        let by_name = || {
            let folded = a.name.to_lowercase().cmp(&b.name.to_lowercase());
            folded.then_with(|| a.name.cmp(&b.name))
        };
        let by_column = match self.column {
            Column::Name => by_name(),
            Column::Size if a.is_folder => by_name(),
            Column::Size => a.length.cmp(&b.length).then_with(by_name),
            Column::Date => a.modified.cmp(&b.modified).then_with(by_name),
        };
        let by_column = if self.is_descending {
            by_column.reverse()
        } else {
            by_column
        };
        b.is_folder.cmp(&a.is_folder).then(by_column)
    }
}

struct Listing<'a> {
    path: &'a str,
    entries: &'a [FileEntry],
    sorting: Sorting,
    is_cut: bool,
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        let title = format!("/{}{slash}", Escaped(self.path));
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
            <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
            <title>{title}</title>\n<style>{STYLE}</style>\n<main>\n<h1>{title}</h1>\n\
            <table>\n<thead><tr>"
        )?;
        COLUMNS.iter().try_for_each(|column| self.head(column, f))?;
        f.write_str("</tr></thead>\n<tbody>\n")?;
        if !self.path.is_empty() {
            f.write_str("<tr><td><a href=\"../\">../</a><td class=\"n\"><td class=\"d\">\n")?;
        }
        self.entries.iter().try_for_each(|entry| line(entry, f))?;
        f.write_str("</tbody>\n</table>\n")?;
        match (self.is_cut, self.entries.is_empty()) {
            (true, _) => writeln!(f, "<p>There is more than these {MOST_ENTRIES}.</p>")?,
            (_, true) => f.write_str("<p>There is nothing here.</p>\n")?,
            _ => {}
        }
        f.write_str("</main>\n</html>\n")
    }
}

impl Listing<'_> {
    /// The head of a column: a link that sorts by it, or the other way round.
    fn head(
        &self,
        (column, key, text, class): &(Column, &str, &str, &str),
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let is_sorted = self.sorting.column == *column;
        let (order, arrow, state) = match (is_sorted, self.sorting.is_descending) {
            (true, false) => ("desc", " ↑", " aria-sort=\"ascending\""),
            (true, true) => ("asc", " ↓", " aria-sort=\"descending\""),
            (false, _) => ("asc", "", ""),
        };
        write!(
            f,
            "<th class=\"{class}\"{state}><a href=\"?sort={key}&amp;order={order}\">{text}{arrow}</a>"
        )
    }
}

fn line(entry: &FileEntry, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let slash = if entry.is_folder { "/" } else { "" };
    let link = utf8_percent_encode(&entry.name, NAME);
    let name = Escaped(&entry.name);
    write!(
        f,
        "<tr><td><a href=\"./{link}{slash}\">{name}{slash}</a><td class=\"n\">"
    )?;
    if !entry.is_folder {
        write!(f, "{}", Size(entry.length))?;
    }
    writeln!(f, "<td class=\"d\">{}", Day(entry.modified))
}

/// Bytes, for people: three digits and a unit.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut number, mut unit) = (self.0 as f64, "B");
        for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
            if number < 999.5 {
                break;
            }
            (number, unit) = (number / 1024.0, larger);
        }
        let digits = usize::from(unit != "B" && number < 9.95);
        write!(f, "{number:.digits$} {unit}")
    }
}

/// A date, as `06 Nov 1994 08:49`, of the meridian of Greenwich.
struct Day(SystemTime);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write!(text, "{}", HttpDate::new(self.0))?;
        f.write_str(text.get(5..22).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KiB"),
            (1023, "1.0 KiB"),
            (10_200, "10 KiB"),
            (1_048_576, "1.0 MiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!(Day(SystemTime::UNIX_EPOCH).to_string(), "01 Jan 1970 00:00");
    }
}
