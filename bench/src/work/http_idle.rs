//! Memory: 10 000 HTTP connections that are kept, before a request and after one with a browser's headers.

use super::idle::signed;
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::process::Server;
use crate::server::{Mode, Peer};
use crate::table::Table;

const COLUMNS: [&str; 3] = [
    "server",
    "B per connection that was never used",
    "B per connection that asked once",
];

/// Runs every peer once per round and prints the medians.
pub(super) fn run(bench: &Bench) -> Outcome<()> {
    let load = words(&["http-idle", "--connections", "10000"]);
    let peers: Vec<Peer> = bench.peers(Mode::Http);
    let results = bench.compare_runs(&peers, |peer| {
        Server::start(peer, Mode::Http, false)?.load(&load)
    })?;
    let title = "http-idle: 10 000 kept connections; resident memory of the server".to_owned();
    let mut table = Table::new(title, &COLUMNS);
    for (index, peer) in results.peers().enumerate() {
        let median = |key: &str| signed(results.median(index, |record| record.get(key)));
        table.row(vec![
            peer.name().to_owned(),
            median("connected_bytes"),
            median("used_bytes"),
        ]);
    }
    print!("{table}");
    Ok(())
}
