//! Latency at half of the bare loop's peak: 1000 connections, a schedule fixed beforehand.

use crate::Outcome;
use crate::bench::{Bench, Results, words};
use crate::record::Record;
use crate::server::{Mode, Peer};
use crate::table::{Table, cell, grouped};

const CONNECTIONS: &str = "1000";

/// Finds the bare loop's peak, then runs every peer at half of it.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let peak = words(&["echo", "--connections", CONNECTIONS]);
    let peak = bench
        .measure(&Peer::Bare, Mode::Echo, &peak)?
        .rate()
        .ok_or("no peak")?;
    let rate = (peak / 2.0).round();
    let load = words(&[
        "paced",
        "--connections",
        CONNECTIONS,
        "--rate",
        &rate.to_string(),
    ]);
    let results = bench.alternate(&bench.peers(Mode::Echo), |peer| {
        bench.measure(peer, Mode::Echo, &load)
    })?;
    print!("{}", table(&results, rate));
    Ok(())
}

fn table(results: &Results, rate: f64) -> Table {
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
        "runs",
    ];
    let mut table = Table::new(title, &columns);
    for peer in results.peers() {
        table.row(row(results, peer));
    }
    table
}

fn row(results: &Results, peer: &Peer) -> Vec<String> {
    let overloaded = results.median(peer, |record| record.get("overloaded"));
    if overloaded.is_some_and(|overloaded| overloaded > 0.0) {
        let dashes = vec!["–".to_owned(); 6];
        return [
            vec![peer.name().to_owned()],
            dashes,
            vec!["cannot keep up".to_owned()],
        ]
        .concat();
    }
    let p50 = |record: &Record| record.get("p50_us");
    let p99 = |record: &Record| record.get("p99_us");
    vec![
        peer.name().to_owned(),
        cell(results.ratio(peer, p50, &Peer::Bare, p50), 3),
        cell(results.ratio(peer, p99, &Peer::Bare, p99), 3),
        cell(
            results.ratio(peer, Record::total_us, &Peer::Bare, Record::total_us),
            3,
        ),
        cell(results.median(peer, p50), 1),
        cell(results.median(peer, p99), 1),
        cell(results.median(peer, |record| record.get("p999_us")), 1),
        results.remarks(peer, p50),
    ]
}
