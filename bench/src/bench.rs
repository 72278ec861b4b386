//! The course of a comparison: which peers, in which order, which runs count.
//!
//! Servers of all peers stay up and take turns in short slices (A B C, C B A, …: a lap each), so that
//! whatever the machine does hits all alike. A slice in which something else used more than a tenth of a
//! core is left out, and further laps are made for it.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::Args;

use crate::Outcome;
use crate::process::{self, Session};
use crate::record::Record;
use crate::results::Results;
use crate::server::{Mode, Peer};

/// Seconds of the raw probe before and after each case.
const PROBE_SECONDS: f64 = 0.3;

/// What every comparison can be told.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Seconds each peer is measured in one round.
    #[arg(long, global = true, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of one slice: the peers take turns so often.
    #[arg(long, global = true, default_value_t = 0.1)]
    pub(crate) slice: f64,
    /// Seconds of load before the first slice.
    #[arg(long, global = true, default_value_t = 0.5)]
    warm_up: f64,
    /// How many rounds.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
    /// Only these peers (bare is always there: it is what the others are divided by).
    #[arg(long, global = true, value_name = "NAME")]
    only: Vec<String>,
    /// Only cases whose name contains this, as in 64Bx100x1.
    #[arg(long, global = true, value_name = "TEXT")]
    case: Option<String>,
    /// The Python to look for twisted and uvloop in.
    #[arg(long, global = true, default_value = "python3")]
    python: PathBuf,
    /// The folder with the servers of `peers/`, built there with `cargo build --release`.
    #[arg(long, global = true, default_value = "bench/peers/target/release")]
    peers: PathBuf,
    /// Also count system calls per message (with perf or strace, in runs of their own).
    #[arg(long, global = true)]
    pub(crate) syscalls: bool,
    /// How many times as many laps may be made because something else ran meanwhile.
    #[arg(long, global = true, default_value_t = 3)]
    patience: usize,
    /// Servers and generators go before everything else on this machine (as root), with a pause after each
    /// slice in which the rest has its turn: for a machine that others use meanwhile.
    #[arg(long, global = true)]
    realtime: bool,
}

/// The options and the peers they leave.
pub(crate) struct Bench {
    pub(crate) options: Options,
    peers: Vec<Peer>,
}

impl Bench {
    pub(crate) fn new(options: Options) -> Outcome<Self> {
        let mut peers = Peer::BUILT_IN.to_vec();
        peers.extend(Peer::in_python(&options.python));
        peers.extend(Peer::installed());
        peers.extend(Peer::built_in_folder(&options.peers));
        let names: Vec<&str> = peers.iter().map(Peer::name).collect();
        if let Some(other) = options
            .only
            .iter()
            .find(|name| !names.contains(&name.as_str()))
        {
            return Err(format!("no peer {other:?} here; there are: {}", names.join(", ")).into());
        }
        let wanted = |peer: &Peer| {
            *peer == Peer::Bare
                || options.only.is_empty()
                || options.only.iter().any(|name| name == peer.name())
        };
        peers.retain(wanted);
        process::set_realtime(options.realtime);
        Ok(Self { options, peers })
    }

    /// The peers that have a server of this kind.
    pub(crate) fn peers(&self, mode: Mode) -> Vec<Peer> {
        self.peers
            .iter()
            .filter(|peer| peer.serves(mode))
            .cloned()
            .collect()
    }

    /// The peers that can be measured inside a process of this binary, by CPU time alone.
    pub(crate) fn engines(&self) -> Vec<Peer> {
        let built_in = self.peers.iter().filter(|peer| peer.is_built_in());
        built_in
            .filter(|peer| matches!(peer, Peer::Tokio | Peer::Ropewalk))
            .cloned()
            .collect()
    }

    /// Whether a case of that name was asked for.
    pub(crate) fn wants(&self, case: &str) -> bool {
        self.options
            .case
            .as_ref()
            .is_none_or(|text| case.contains(text.as_str()))
    }

    /// A server of `peer` and a generator of that load, warm.
    fn session(&self, peer: &Peer, mode: Mode, load: &[String]) -> Outcome<Session> {
        Session::start(peer, mode, load, self.options.warm_up, false)
    }

    /// Allocations per operation in steady state; `None` for a peer that cannot be counted.
    pub(crate) fn allocations(&self, peer: &Peer, mode: Mode, load: &[String]) -> Option<f64> {
        if !peer.is_built_in() {
            return None;
        }
        let mut session = Session::start(peer, mode, load, self.options.warm_up, true).ok()?;
        session.slice(0.5).ok()?.per_op("allocations")
    }

    /// Measures all peers under one load, slice by slice.
    pub(crate) fn compare(&self, mode: Mode, load: &[String]) -> Outcome<Results> {
        let peers: Vec<(Peer, Mode)> = self
            .peers(mode)
            .into_iter()
            .map(|peer| (peer, mode))
            .collect();
        self.compare_servers(&peers, load, self.options.slice)
    }

    /// Measures these servers under one load, in slices of that length.
    pub(crate) fn compare_servers(
        &self,
        servers: &[(Peer, Mode)],
        load: &[String],
        slice: f64,
    ) -> Outcome<Results> {
        let before = self.probe()?;
        let mut sessions: Vec<Option<Session>> = Vec::new();
        for (peer, mode) in servers {
            sessions.push(told(peer, self.session(peer, *mode, load)));
        }
        let mut results = Results::new(servers.iter().map(|(peer, _)| peer.clone()));
        let laps = (self.options.rounds.max(1) as f64 * self.options.seconds / slice).ceil();
        let pause = Duration::from_secs_f64(if self.options.realtime { slice } else { 0.0 });
        self.laps(laps as usize, &mut results, |index, peer| {
            let record = told(peer, sessions[index].as_mut()?.slice(slice));
            thread::sleep(pause);
            if record.is_none() {
                sessions[index] = None;
            }
            record
        });
        drop(sessions);
        results.set_probe(before, self.probe()?);
        Ok(results)
    }

    /// Measures these peers by a whole run each per round: for what cannot be cut into slices.
    pub(crate) fn compare_runs(
        &self,
        peers: &[Peer],
        run: impl Fn(&Peer) -> Outcome<Record>,
    ) -> Outcome<Results> {
        let before = self.probe()?;
        let mut results = Results::new(peers.iter().cloned());
        let rounds = self.options.rounds.max(1);
        self.laps(rounds, &mut results, |_, peer| told(peer, run(peer)));
        results.set_probe(before, self.probe()?);
        Ok(results)
    }

    /// Makes laps until so many were quiet for all, or patience ends.
    fn laps(
        &self,
        wanted: usize,
        results: &mut Results,
        mut run: impl FnMut(usize, &Peer) -> Option<Record>,
    ) {
        let peers: Vec<Peer> = results.peers().cloned().collect();
        for lap in 0..wanted * self.options.patience.max(1) {
            let forward = 0..peers.len();
            let order: Vec<usize> = if lap % 2 == 0 {
                forward.collect()
            } else {
                forward.rev().collect()
            };
            for index in order {
                results.push(index, run(index, &peers[index]));
            }
            if results.quiet_laps() >= wanted {
                return;
            }
        }
    }

    /// The bare loop's messages per second under that load.
    pub(crate) fn peak(&self, load: &[String]) -> Outcome<f64> {
        let results =
            self.compare_servers(&[(Peer::Bare, Mode::Echo)], load, self.options.slice)?;
        results
            .median(0, Record::rate)
            .ok_or_else(|| "no peak".into())
    }

    /// The bare loop's CPU per message now, in microseconds: how fast the machine is at the moment.
    fn probe(&self) -> Outcome<f64> {
        let load = words(&["echo", "--connections", "100"]);
        let mut session = Session::start(&Peer::Bare, Mode::Echo, &load, 0.1, false)?;
        let record = session.slice(PROBE_SECONDS)?;
        record
            .total_us()
            .ok_or_else(|| "the probe did nothing".into())
    }
}

/// The outcome, or `None` after saying why.
fn told<T>(peer: &Peer, outcome: Outcome<T>) -> Option<T> {
    outcome
        .inspect_err(|error| eprintln!("{}: {error}", peer.name()))
        .ok()
}

/// Owned words of a command line.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
