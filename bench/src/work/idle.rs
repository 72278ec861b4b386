//! Memory: 10 000 connections that once sent a message, and a burst on 100 of them.

use crate::Outcome;
use crate::bench::{Bench, words};
use crate::process::Server;
use crate::server::Mode;
use crate::table::{Table, grouped};

const CONNECTIONS: &str = "10000";

const COLUMNS: [&str; 8] = [
    "server",
    "B per idle connection",
    "B per connection used once",
    "B at peak until then, for each",
    "B per stalled burst",
    "B kept per burst",
    "B at peak, in all",
    "B left when all closed",
];

/// Runs every peer once per round and prints the medians.
pub(crate) fn run(bench: &Bench, work: &str, mode: Mode, burst_mib: u64) -> Outcome<()> {
    let burst = (burst_mib << 20).to_string();
    let load = words(&["idle", "--connections", CONNECTIONS, "--burst", &burst]);
    let results = bench.compare_runs(&bench.peers(mode), |peer| {
        Server::start(peer, mode, false)?.load(&load)
    })?;
    let mut table = Table::new(
        format!(
            "{work}: {CONNECTIONS} connections, then {burst_mib} MiB on each of 100; resident memory of the server"
        ),
        &COLUMNS,
    );
    let numbers = [
        "connected",
        "used",
        "slope",
        "full",
        "retained",
        "peak",
        "left",
    ];
    for (index, peer) in results.peers().enumerate() {
        let number = |name: &&str| {
            let key = format!("{name}_bytes");
            signed(results.median(index, |record| record.get(&key)))
        };
        let cells: Vec<String> = numbers.iter().map(number).collect();
        table.row([vec![peer.name().to_owned()], cells].concat());
    }
    print!("{table}");
    Ok(())
}

pub(super) fn signed(value: Option<f64>) -> String {
    match value {
        Some(value) if value < 0.0 => format!("−{}", grouped(Some(-value))),
        value => grouped(value),
    }
}
