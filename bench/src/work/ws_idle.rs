//! Memory: 10 000 WebSockets that once sent a message, and a message of 16 MiB on 100 of them.

use super::idle::signed;
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::process::Server;
use crate::server::{Mode, Peer};
use crate::table::{Table, cell};

const COLUMNS: [&str; 6] = [
    "server",
    "B per idle connection",
    "B per connection used once",
    "B kept after the large messages, in all",
    "the same ÷ all memory before",
    "B at peak, above idle, in all",
];

/// Runs every peer once per round and prints the medians: without and with compression agreed on.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let cases = [
        (Mode::WsIdle, "none", "ws-idle"),
        (Mode::WsIdleDeflate, "alone", "ws-idle, deflate agreed on"),
    ];
    for (mode, deflate, title) in cases {
        if bench.wants(deflate) {
            print!("{}", table(bench, mode, deflate, title)?);
        }
    }
    Ok(())
}

fn table(bench: &Bench, mode: Mode, deflate: &str, title: &str) -> Outcome<Table> {
    let load = words(&["ws-idle", "--connections", "10000", "--deflate", deflate]);
    let peers: Vec<Peer> = bench.peers(mode);
    let results =
        bench.compare_runs(&peers, |peer| Server::start(peer, mode, false)?.load(&load))?;
    let title = format!("{title}: 10 000 connections, then 16 MiB on each of 100");
    let mut table = Table::new(title, &COLUMNS);
    for (index, peer) in results.peers().enumerate() {
        let median = |key: &str| results.median(index, |record| record.get(key));
        table.row(vec![
            peer.name().to_owned(),
            signed(median("connected_bytes")),
            signed(median("used_bytes")),
            signed(median("kept_bytes")),
            cell(median("kept_share"), 3),
            signed(median("peak_bytes")),
        ]);
    }
    Ok(table)
}
