//! TCP to TCP: messages of 16 KiB through a forwarder to an echo server and back.

use super::{cpu_table, ratio_cells};
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::{Mode, Peer};

/// Runs every forwarder; an operation is a message there and back.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let load = words(&["echo", "--size", "16384", "--connections", "50"]);
    let results = bench.compare(Mode::Forward, &load)?;
    let title = "forward: 16384 B × 50 connections, there and back";
    let table = cpu_table(
        title,
        &results,
        &["total ÷ nginx", "total ÷ haproxy"],
        |peer| ratio_cells(&results, peer, &[Peer::Nginx, Peer::Haproxy]),
    );
    print!("{table}");
    Ok(())
}
