//! Datagrams: every one is sent back. 64 B, 100 clients with one under way each, 40 with four, and 10 with sixteen.
//!
//! `bare` is here the loop of `recv_from` and `send_to`; `bare, batched` the one that receives and sends up to 64 in a call,
//! which says how much batching can give on this kernel.

use super::{CPU_COLUMNS, cpu_cells};
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::record::Record;
use crate::server::{Mode, Peer};
use crate::syscalls;
use crate::table::{Table, cell};

const CASES: [(&str, &str); 3] = [("100", "1"), ("40", "4"), ("10", "16")];

/// Runs every case that was asked for, and prints a table for each.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    CASES
        .iter()
        .filter(|(clients, depth)| bench.wants(&format!("64Bx{clients}x{depth}")))
        .try_for_each(|(clients, depth)| run_case(bench, clients, depth))
}

fn run_case(bench: &Bench, clients: &str, depth: &str) -> Outcome<()> {
    let load = words(&["udp", "--connections", clients, "--depth", depth]);
    let mut servers: Vec<(Peer, Mode)> = bench
        .peers(Mode::Udp)
        .into_iter()
        .map(|peer| (peer, Mode::Udp))
        .collect();
    servers.insert(1, (Peer::Bare, Mode::UdpBatched));
    let results = bench.compare_servers(&servers, &load, bench.options.slice)?;
    let mut columns = [&CPU_COLUMNS[..], &["allocations each", "busy"]].concat();
    if bench.options.syscalls {
        columns.push("receive + send + wait calls each");
    }
    columns.push("laps");
    let title = format!("udp: 64 B × {clients} clients, depth {depth}");
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    for (index, (peer, mode)) in servers.iter().enumerate() {
        let name = match mode {
            Mode::UdpBatched => "bare, batched",
            _ => peer.name(),
        };
        let mut row = cpu_cells(&results, index, name);
        row.push(cell(bench.allocations(peer, *mode, &load), 4));
        row.push(cell(results.median(index, busy), 2));
        if bench.options.syscalls {
            row.push(calls(peer, *mode, &load));
        }
        row.push(results.remarks(index, Record::total_us));
        table.row(row);
    }
    print!("{table}");
    Ok(())
}

/// What part of the time the server had something to do.
fn busy(record: &Record) -> Option<f64> {
    Some(record.get("server_us")? / 1e6 / record.get("work_s")?)
}

fn calls(peer: &Peer, mode: Mode, load: &[String]) -> String {
    match syscalls::per_operation(peer, mode, load) {
        Ok(calls) => {
            let names = ["receive", "send", "wait"];
            names.map(|name| cell(calls.get(name), 3)).join(" + ")
        }
        Err(error) => error.to_string(),
    }
}
