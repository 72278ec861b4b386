//! Memory: 10 000 connections that once sent a message, and a burst of 16 MiB on 100 of them.

use crate::Outcome;
use crate::bench::{Bench, words};
use crate::process::Server;
use crate::server::Mode;
use crate::table::{Table, grouped};

const CONNECTIONS: &str = "10000";

const COLUMNS: [&str; 7] = [
    "server",
    "B per idle connection",
    "B per connection used once",
    "B per stalled burst",
    "B kept per burst",
    "B at peak, in all",
    "B left when all closed",
];

/// Runs every peer once per round and prints the medians.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let load = words(&["idle", "--connections", CONNECTIONS]);
    let results = bench.compare_runs(&bench.peers(Mode::Idle), |peer| {
        Server::start(peer, Mode::Idle, false)?.load(&load)
    })?;
    let mut table = Table::new(
        format!(
            "idle: {CONNECTIONS} connections, then 16 MiB on each of 100; resident memory of the server"
        ),
        &COLUMNS,
    );
    let numbers = ["connected", "used", "full", "retained", "peak", "left"];
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

fn signed(value: Option<f64>) -> String {
    match value {
        Some(value) if value < 0.0 => format!("−{}", grouped(Some(-value))),
        value => grouped(value),
    }
}
