//! Two cores against one, with a message that costs the server some work; and how evenly connections are shared out.

use crate::Outcome;
use crate::bench::{Bench, words};
use crate::record::Record;
use crate::server::{Mode, Peer};
use crate::table::{Table, cell, grouped};

const SERVERS: [(&str, Mode); 4] = [
    ("1 core", Mode::OneCore),
    ("2 cores, kernel's hash", Mode::KernelCores),
    ("2 cores, least loaded", Mode::LeastLoadedCores),
    ("2 cores, hybrid", Mode::HybridCores),
];

/// Runs all ways of sharing, and prints their rates.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let load = words(&["echo", "--connections", "200"]);
    let servers = SERVERS.map(|(_, mode)| (Peer::Ropewalk, mode));
    let results = bench.compare_servers(&servers, &load, bench.options.slice)?;
    let columns = [
        "server",
        "rate ÷ one core's",
        "CPU each ÷ one core's",
        "connections, most ÷ fewest",
        "(1/s)",
        "generator's share of all CPU used",
        "laps",
    ];
    let title =
        "cores: 64 B × 200 connections, work for each message; the generator shares the cores";
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    for (index, (name, _)) in SERVERS.iter().enumerate() {
        let connections = |name: &'static str| results.median(index, |record| record.get(name));
        let uneven = connections("most").zip(connections("fewest").filter(|few| *few > 0.0));
        let generator = |record: &Record| {
            let (own, server) = (record.get("own_us")?, record.get("server_us")?);
            Some(own / (own + server))
        };
        table.row(vec![
            (*name).to_owned(),
            cell(results.ratio(index, Record::rate, 0, Record::rate), 3),
            cell(
                results.ratio(index, Record::total_us, 0, Record::total_us),
                3,
            ),
            cell(uneven.map(|(most, fewest)| most / fewest), 3),
            grouped(results.median(index, Record::rate)),
            cell(results.median(index, generator), 3),
            results.remarks(index, Record::rate),
        ]);
    }
    print!("{table}");
    Ok(())
}
