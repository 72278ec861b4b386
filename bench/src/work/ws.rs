//! WebSocket echo: 64 B, 1 KiB and 64 KiB on 64 connections, one or sixteen messages under way on each.

use super::{cpu_table, ratio_cells};
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::{Mode, Peer};
use crate::table::cell;

const CASES: [(&str, &str); 6] = [
    ("64", "1"),
    ("1024", "1"),
    ("65536", "1"),
    ("64", "16"),
    ("1024", "16"),
    ("65536", "16"),
];

/// Runs every case that was asked for, and prints a table for each.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    CASES
        .iter()
        .filter(|(size, depth)| bench.wants(&format!("{size}Bx64x{depth}")))
        .try_for_each(|(size, depth)| {
            let load = [
                "ws",
                "--connections",
                "64",
                "--size",
                size,
                "--depth",
                depth,
            ];
            let load = words(&load);
            let results = bench.compare(Mode::Ws, &load)?;
            let title =
                format!("ws: {size} B × 64 connections, depth {depth} (tokio is tungstenite)");
            let more = ["total ÷ fastwebsockets", "allocations each"];
            let table = cpu_table(&title, &results, &more, |peer| {
                let mut cells = ratio_cells(&results, peer, &[Peer::Fastwebsockets]);
                cells.push(cell(bench.allocations(peer, Mode::Ws, &load), 4));
                cells
            });
            print!("{table}");
            Ok(())
        })
}
