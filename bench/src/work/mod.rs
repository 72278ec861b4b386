//! The workloads, one file each: what is run, and the table it ends in.

mod broadcast;
mod connect;
mod cores;
mod echo;
mod forward;
mod http;
pub(crate) mod http_client;
mod http_idle;
mod idle;
mod latency;
mod static_files;
pub(crate) mod tasks;
pub(crate) mod timers;
mod tls;
mod tls_memory;
mod udp;
mod unix;
mod ws;
mod ws_idle;
mod ws_mask;

use crate::Outcome;
use crate::bench::Bench;
use crate::cpu::CoreWatch;
use crate::record::Record;
use crate::results::Results;
use crate::server::{Mode, Peer};
use crate::table::{Table, cell, grouped};

/// MiB of the burst after idling.
const PLAIN_BURST: u64 = 16;
const TLS_BURST: u64 = 1;

/// A workload of the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Echo,
    Latency,
    Idle,
    Timers,
    Connect,
    Tasks,
    Broadcast,
    TlsMemory,
    TlsHandshake,
    TlsEcho,
    TlsIdle,
    Unix,
    Forward,
    Cores,
    Udp,
    Http,
    HttpIdle,
    HttpClient,
    Ws,
    WsDeflate,
    WsIdle,
    WsBroadcast,
    WsMask,
    Static,
}

impl Work {
    pub(crate) const ALL: [Self; 24] = [
        Self::Echo,
        Self::Latency,
        Self::Idle,
        Self::Timers,
        Self::Connect,
        Self::Tasks,
        Self::Broadcast,
        Self::TlsMemory,
        Self::TlsHandshake,
        Self::TlsEcho,
        Self::TlsIdle,
        Self::Unix,
        Self::Forward,
        Self::Cores,
        Self::Udp,
        Self::Http,
        Self::HttpIdle,
        Self::HttpClient,
        Self::Ws,
        Self::WsDeflate,
        Self::WsIdle,
        Self::WsBroadcast,
        Self::WsMask,
        Self::Static,
    ];

    /// Runs it and prints its tables.
    pub(crate) fn run(self, bench: &Bench) -> Outcome<()> {
        match self {
            Self::Echo => echo::run(bench),
            Self::Latency => latency::run(bench),
            Self::Idle => idle::run(bench, "idle", Mode::Idle, PLAIN_BURST),
            Self::Timers => timers::run(bench),
            Self::Connect => connect::run(bench),
            Self::Tasks => tasks::run(bench),
            Self::Broadcast => broadcast::run(bench),
            Self::TlsMemory => tls_memory::run(),
            Self::Udp => udp::run(bench),
            Self::Http => http::run(bench),
            Self::Static => static_files::run(bench),
            Self::TlsHandshake => tls::handshakes(bench),
            Self::TlsEcho => tls::echo(bench),
            Self::TlsIdle => idle::run(bench, "tls-idle", Mode::TlsIdle, TLS_BURST),
            Self::Unix => unix::run(bench),
            Self::Ws => ws::run(bench),
            Self::WsDeflate => ws::deflate(bench),
            Self::WsIdle => ws_idle::run(bench),
            Self::WsMask => ws_mask::run(),
            Self::WsBroadcast => ws::broadcast(bench),
            Self::Forward => forward::run(bench),
            Self::Cores => cores::run(bench),
            Self::HttpIdle => http_idle::run(bench),
            Self::HttpClient => http_client::run(bench),
        }
    }
}

/// Measures one of the in-process works, in this process.
pub(crate) fn compute(work: &str, peer: &Peer) -> Outcome<Record> {
    let watch = CoreWatch::start()?;
    let mut record = match work {
        "timers" => timers::compute(peer)?,
        "tasks" => tasks::compute(peer)?,
        "http-client" => http_client::compute(peer)?,
        other => return Err(format!("no work named {other:?}").into()),
    };
    record.set("others", watch.stop()?);
    Ok(record)
}

/// The columns of [`cpu_cells`].
const CPU_COLUMNS: [&str; 7] = [
    "server",
    "total ÷ bare",
    "total ÷ tokio",
    "user ÷ bare's total",
    "system ÷ bare's total",
    "(µs)",
    "(1/s)",
];

/// Server CPU per operation of one peer: the ratios, then what they are made of, for information.
fn cpu_cells(results: &Results, index: usize, name: &str) -> Vec<String> {
    let to = |peer: &Peer| {
        results.ratio(
            index,
            Record::total_us,
            results.place(peer)?,
            Record::total_us,
        )
    };
    let to_bare = to(&Peer::Bare);
    let user_share = results.share(index, "user_us", "server_us");
    let user = to_bare.zip(user_share).map(|(total, share)| total * share);
    vec![
        name.to_owned(),
        cell(to_bare, 3),
        cell(to(&Peer::Tokio), 3),
        cell(user, 3),
        cell(to_bare.zip(user).map(|(total, user)| total - user), 3),
        cell(results.median(index, Record::total_us), 2),
        grouped(results.median(index, Record::rate)),
    ]
}

/// The CPU of a peer divided by that of others, where they took part.
fn ratio_cells(results: &Results, peer: &Peer, bases: &[Peer]) -> Vec<String> {
    let ratio = |base: &Peer| {
        let (index, base) = (results.place(peer)?, results.place(base)?);
        results.ratio(index, Record::total_us, base, Record::total_us)
    };
    bases.iter().map(|base| cell(ratio(base), 3)).collect()
}

/// A table with the CPU of every peer and further columns.
fn cpu_table(
    title: &str,
    results: &Results,
    more: &[&str],
    cells: impl Fn(&Peer) -> Vec<String>,
) -> Table {
    let columns = [&CPU_COLUMNS[..], more, &["laps"]].concat();
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    for (index, peer) in results.peers().enumerate() {
        let remarks = vec![results.remarks(index, Record::total_us)];
        table.row([cpu_cells(results, index, peer.name()), cells(peer), remarks].concat());
    }
    table
}
