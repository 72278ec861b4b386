//! WebSocket echo: 64 B, 1 KiB and 64 KiB on 64 connections, one or sixteen messages under way on each; 1 KiB compressed; and
//! one message to 10 000.

use super::{cpu_table, ratio_cells};
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::results::Results;
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

/// Compressed echo, each message by itself, and with what both sides remember.
pub(crate) fn deflate(bench: &Bench) -> Outcome<()> {
    let cases = [
        (Mode::WsDeflate, "alone", "1"),
        (Mode::WsDeflate, "alone", "16"),
        (Mode::WsDeflateTakeover, "takeover", "1"),
        (Mode::WsDeflateTakeover, "takeover", "16"),
    ];
    for (mode, word, depth) in cases {
        if !bench.wants(&format!("{word}x64x{depth}")) {
            continue;
        }
        let mut load = words(&["ws", "--connections", "64", "--size", "1024"]);
        load.extend(words(&["--depth", depth, "--deflate", word]));
        let results = bench.compare(mode, &load)?;
        let title = format!("ws-deflate: 1 KiB of JSON × 64 connections, depth {depth}, {word}");
        print_against_yawc(bench, &title, &results, mode, &load);
    }
    Ok(())
}

fn print_against_yawc(bench: &Bench, title: &str, results: &Results, mode: Mode, load: &[String]) {
    let yawc = results.peers().find(|peer| peer.name() == "yawc").cloned();
    let bases: Vec<Peer> = yawc.into_iter().collect();
    let more: &[&str] = match bases.is_empty() {
        true => &["allocations each"],
        false => &["total ÷ yawc", "allocations each"],
    };
    let table = cpu_table(title, results, more, |peer| {
        let mut cells = ratio_cells(results, peer, &bases);
        cells.push(cell(bench.allocations(peer, mode, load), 4));
        cells
    });
    print!("{table}");
}

/// One message of 100 B to 10 000; an operation is one delivery.
pub(crate) fn broadcast(bench: &Bench) -> Outcome<()> {
    let load = words(&["ws-broadcast", "--connections", "10000", "--size", "100"]);
    let results = bench.compare(Mode::WsBroadcast, &load)?;
    let title = "ws-broadcast: 100 B to 10 000 (tokio is tungstenite)";
    let table = cpu_table(title, &results, &["allocations each"], |peer| {
        vec![cell(bench.allocations(peer, Mode::WsBroadcast, &load), 4)]
    });
    print!("{table}");
    Ok(())
}
