//! HTTP: a greeting, one request and sixteen under way; and JSON of 1 KiB from one of a hundred routes, asked for as a browser
//! does.

use super::cpu_table;
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::Mode;
use crate::table::cell;

struct Case {
    name: &'static str,
    title: &'static str,
    mode: Mode,
    load: &'static [&'static str],
}

const CASES: [Case; 4] = [
    Case {
        name: "hellox1",
        title: "http: 13 bytes, depth 1",
        mode: Mode::Http,
        load: &["--depth", "1"],
    },
    Case {
        name: "hellox16",
        title: "http: 13 bytes, depth 16",
        mode: Mode::Http,
        load: &["--depth", "16"],
    },
    Case {
        name: "jsonx1",
        title: "http: a browser's headers, 100 routes, 1 KiB of JSON, depth 1",
        mode: Mode::HttpRoutes,
        load: &["--depth", "1", "--browser", "--path", "/shelf/57/item"],
    },
    Case {
        name: "jsonx16",
        title: "http: a browser's headers, 100 routes, 1 KiB of JSON, depth 16",
        mode: Mode::HttpRoutes,
        load: &["--depth", "16", "--browser", "--path", "/shelf/57/item"],
    },
];

const CONNECTIONS: [&str; 3] = ["http", "--connections", "64"];

/// Runs every case that was asked for, and prints a table for each.
pub(super) fn run(bench: &Bench) -> Outcome<()> {
    for case in CASES.iter().filter(|case| bench.wants(case.name)) {
        let load = [words(&CONNECTIONS), words(case.load)].concat();
        let results = bench.compare(case.mode, &load)?;
        let title = format!("{}; 64 connections", case.title);
        let table = cpu_table(&title, &results, &["allocations each"], |peer| {
            vec![cell(bench.allocations(peer, case.mode, &load), 4)]
        });
        print!("{table}");
    }
    Ok(())
}
