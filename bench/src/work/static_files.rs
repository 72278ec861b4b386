//! Static files over HTTP: 1 KiB and 1 MiB, beside nginx.

use super::{cpu_table, ratio_cells};
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::{Mode, Peer};
use crate::table::cell;

const CASES: [(&str, &str); 2] = [("1KiB", "/small.bin"), ("1MiB", "/large.bin")];

/// Runs every case that was asked for, and prints a table for each.
pub(super) fn run(bench: &Bench) -> Outcome<()> {
    for (name, path) in CASES.iter().filter(|(name, _)| bench.wants(name)) {
        let load = words(&[
            "http",
            "--connections",
            "64",
            "--depth",
            "1",
            "--path",
            path,
        ]);
        let results = bench.compare(Mode::Static, &load)?;
        let title = format!("static: a file of {name}; 64 connections, depth 1");
        let columns = ["total ÷ nginx", "allocations each"];
        let table = cpu_table(&title, &results, &columns, |peer| {
            let mut cells = ratio_cells(&results, peer, &[Peer::Nginx]);
            cells.push(cell(bench.allocations(peer, Mode::Static, &load), 4));
            cells
        });
        print!("{table}");
    }
    Ok(())
}
