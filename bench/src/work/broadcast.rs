//! Broadcast: what one connection sends goes to all 1000; an operation is one delivery.

use super::cpu_table;
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::Mode;
use crate::table::cell;

const SIZES: [&str; 2] = ["64", "4096"];

/// Runs every size that was asked for.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    SIZES
        .iter()
        .filter(|size| bench.wants(size))
        .try_for_each(|size| {
            let load = words(&["broadcast", "--connections", "1000", "--size", size]);
            let results = bench.compare(Mode::Broadcast, &load)?;
            let title = format!("broadcast: {size} B to 1000 connections");
            let table = cpu_table(&title, &results, &["allocations each"], |peer| {
                vec![cell(bench.allocations(peer, Mode::Broadcast, &load), 4)]
            });
            print!("{table}");
            Ok(())
        })
}
