//! Latency at half of the bare loop's peak: 1000 connections, a schedule fixed beforehand.

use crate::Outcome;
use crate::bench::{Bench, words};
use crate::record::Record;
use crate::results::Results;
use crate::server::{Mode, Peer};
use crate::table::{Table, cell, grouped};

const CONNECTIONS: &str = "1000";

/// Seconds of one slice: long enough for some 50 000 messages, of which 500 are beyond the p99.
const SLICE: f64 = 0.5;

/// Finds the bare loop's peak, then runs every peer at half of it.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let rate = (bench.peak(&words(&["echo", "--connections", CONNECTIONS]))? / 2.0).round();
    let load = words(&[
        "paced",
        "--connections",
        CONNECTIONS,
        "--rate",
        &rate.to_string(),
    ]);
    let servers: Vec<(Peer, Mode)> = bench
        .peers(Mode::Echo)
        .into_iter()
        .map(|peer| (peer, Mode::Echo))
        .collect();
    let results = bench.compare_servers(&servers, &load, SLICE)?;
    print!("{}", table(&results, rate)?);
    Ok(())
}

fn table(results: &Results, rate: f64) -> Outcome<Table> {
    let rate = grouped(Some(rate));
    let title = format!(
        "latency: 64 B × {CONNECTIONS} connections, {rate} messages/s, open loop; {}",
        results.probe_line()
    );
    let columns = [
        "server",
        "p50 ÷ bare",
        "p99 ÷ bare",
        "CPU ÷ bare",
        "(p50 µs)",
        "(p99 µs)",
        "(p99.9 µs)",
        "laps",
    ];
    let mut table = Table::new(title, &columns);
    let bare = results.place(&Peer::Bare).ok_or("nothing to divide by")?;
    for (index, peer) in results.peers().enumerate() {
        table.row(row(results, index, peer.name(), bare));
    }
    Ok(table)
}

fn row(results: &Results, index: usize, name: &str, bare: usize) -> Vec<String> {
    let overloaded = results.median(index, |record| record.get("overloaded"));
    if overloaded.is_some_and(|overloaded| overloaded > 0.0) {
        let dashes = vec!["–".to_owned(); 6];
        return [
            vec![name.to_owned()],
            dashes,
            vec!["cannot keep up".to_owned()],
        ]
        .concat();
    }
    let p50 = |record: &Record| record.get("p50_us");
    let p99 = |record: &Record| record.get("p99_us");
    vec![
        name.to_owned(),
        cell(results.ratio(index, p50, bare, p50), 3),
        cell(results.ratio(index, p99, bare, p99), 3),
        cell(
            results.ratio(index, Record::total_us, bare, Record::total_us),
            3,
        ),
        cell(results.median(index, p50), 1),
        cell(results.median(index, p99), 1),
        cell(results.median(index, |record| record.get("p999_us")), 1),
        results.remarks(index, p50),
    ]
}
