//! The course of a comparison: which peers, in which order, which runs count.
//!
//! Peers alternate within every round (A B C, then C B A, …), so that whatever the machine does between
//! rounds hits all alike. A run in which something else used more than a tenth of a core is repeated,
//! and left out of the medians as long as there are others.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::Outcome;
use crate::cpu;
use crate::process::{self, Server};
use crate::record::{NOISE_LIMIT, Record};
use crate::server::{Mode, Peer};
use crate::stats::{median, paired_ratio, spread};

/// Seconds of the raw probe before and after each case.
const PROBE_SECONDS: f64 = 0.5;
/// How long the machine is watched to find out whether it is quiet.
const QUIET_WATCH: Duration = Duration::from_millis(400);

/// What every comparison can be told.
#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Seconds of each measured window.
    #[arg(long, global = true, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of load before each window.
    #[arg(long, global = true, default_value_t = 0.5)]
    warm_up: f64,
    /// How many rounds, each with one run of every peer.
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
    /// Also count system calls per message (with perf or strace, in runs of their own).
    #[arg(long, global = true)]
    pub(crate) syscalls: bool,
    /// How often a run is repeated because something else ran meanwhile.
    #[arg(long, global = true, default_value_t = 2)]
    retries: usize,
    /// Seconds to wait, before each run, for the machine to become quiet.
    #[arg(long, global = true, default_value_t = 0.0)]
    patience: f64,
    /// Priority of servers and generators alike, −20 (first, needs root) to 19: on a machine that
    /// others use, a low number keeps them from interrupting.
    #[arg(long, global = true, default_value_t = 0, allow_hyphen_values = true)]
    nice: i32,
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
        process::set_priority_of_children(options.nice);
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
            .filter(|peer| **peer != Peer::Bare)
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

    /// The words that tell a generator how long to run.
    pub(crate) fn timing(&self) -> Vec<String> {
        let Options {
            seconds, warm_up, ..
        } = &self.options;
        words(&[
            "--seconds",
            &seconds.to_string(),
            "--warm-up",
            &warm_up.to_string(),
        ])
    }

    /// One run of `peer` under the load that `arguments` describe.
    pub(crate) fn measure(&self, peer: &Peer, mode: Mode, arguments: &[String]) -> Outcome<Record> {
        let arguments = [arguments, &self.timing()].concat();
        Server::start(peer, mode, false)?.load(&arguments)
    }

    /// Allocations per operation in steady state; `None` for a peer that cannot be counted.
    pub(crate) fn allocations(&self, peer: &Peer, mode: Mode, load: &[String]) -> Option<f64> {
        if !peer.is_built_in() {
            return None;
        }
        let arguments = [load, &words(&["--seconds", "0.5", "--warm-up", "0.5"])].concat();
        Server::start(peer, mode, true)
            .ok()?
            .load(&arguments)
            .ok()?
            .per_op("allocations")
    }

    /// The bare loop's CPU per message now, in microseconds: how fast the machine is at the moment.
    pub(crate) fn probe(&self) -> Outcome<f64> {
        let seconds = PROBE_SECONDS.min(self.options.seconds).to_string();
        let load = words(&[
            "echo",
            "--connections",
            "100",
            "--seconds",
            &seconds,
            "--warm-up",
            "0.1",
        ]);
        let record = Server::start(&Peer::Bare, Mode::Echo, false)?.load(&load)?;
        record
            .total_us()
            .ok_or_else(|| "the probe did nothing".into())
    }

    /// Runs every peer once per round, in alternating order.
    pub(crate) fn alternate(
        &self,
        peers: &[Peer],
        run: impl Fn(&Peer) -> Outcome<Record>,
    ) -> Outcome<Results> {
        let before = self.probe()?;
        let mut results = Results::new(peers, before);
        for round in 0..self.options.rounds.max(1) {
            let forward: Vec<usize> = (0..peers.len()).collect();
            let backward = forward.iter().rev().copied().collect();
            for index in if round % 2 == 0 { forward } else { backward } {
                let record = self.quiet_run(&peers[index], &run);
                results.runs[index].1.push(record);
            }
        }
        results.probe.1 = self.probe()?;
        Ok(results)
    }

    fn quiet_run(&self, peer: &Peer, run: impl Fn(&Peer) -> Outcome<Record>) -> Option<Record> {
        let mut quietest: Option<Record> = None;
        for _ in 0..=self.options.retries {
            self.wait_for_quiet();
            let record = match run(peer) {
                Ok(record) => record,
                Err(error) => {
                    eprintln!("{}: {error}", peer.name());
                    return None;
                }
            };
            if !record.is_noisy() {
                return Some(record);
            }
            let others = |record: &Record| record.get("others").unwrap_or(0.0);
            if quietest
                .as_ref()
                .is_none_or(|best| others(&record) < others(best))
            {
                quietest = Some(record);
            }
        }
        quietest
    }

    fn wait_for_quiet(&self) {
        let end =
            Instant::now() + Duration::from_secs_f64(self.options.patience.clamp(0.0, 3600.0));
        while Instant::now() < end {
            let Ok((before, _)) = cpu::machine_ticks() else {
                return;
            };
            thread::sleep(QUIET_WATCH);
            let Ok((after, _)) = cpu::machine_ticks() else {
                return;
            };
            if cpu::busy_cores(before, after, QUIET_WATCH.as_secs_f64()) < NOISE_LIMIT {
                return;
            }
        }
    }
}

/// Owned words of a command line.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// All runs of one case, by peer and round.
pub(crate) struct Results {
    /// `None` where a run failed.
    runs: Vec<(Peer, Vec<Option<Record>>)>,
    probe: (f64, f64),
}

impl Results {
    fn new(peers: &[Peer], probe: f64) -> Self {
        let runs = peers
            .iter()
            .map(|peer| (peer.clone(), Vec::new()))
            .collect();
        Self {
            runs,
            probe: (probe, probe),
        }
    }

    /// The peers, in the order they were given.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.runs.iter().map(|(peer, _)| peer)
    }

    /// One number of each round; noisy rounds are left out unless all are noisy.
    pub(crate) fn values<F>(&self, peer: &Peer, number: F) -> Vec<Option<f64>>
    where
        F: Fn(&Record) -> Option<f64>,
    {
        let runs = self.runs.iter().find(|(other, _)| other == peer);
        let runs = runs.map_or(&[][..], |(_, runs)| runs);
        let clean = |record: &&Record| !record.is_noisy();
        let all_noisy = !runs.iter().flatten().any(|record| clean(&record));
        let counts = |record: &&Record| all_noisy || clean(record);
        runs.iter()
            .map(|run| run.as_ref().filter(counts).and_then(&number))
            .collect()
    }

    /// The median of one number over the rounds.
    pub(crate) fn median(
        &self,
        peer: &Peer,
        number: impl Fn(&Record) -> Option<f64>,
    ) -> Option<f64> {
        let values: Vec<f64> = self.values(peer, number).into_iter().flatten().collect();
        median(&values)
    }

    /// The median over the rounds of `number` of `peer` divided by `base_number` of `base`.
    pub(crate) fn ratio(
        &self,
        peer: &Peer,
        number: impl Fn(&Record) -> Option<f64>,
        base: &Peer,
        base_number: impl Fn(&Record) -> Option<f64>,
    ) -> Option<f64> {
        paired_ratio(&self.values(peer, number), &self.values(base, base_number))
    }

    /// How far the rounds lie apart, and how many were noisy: what the numbers are worth.
    pub(crate) fn remarks(&self, peer: &Peer, number: impl Fn(&Record) -> Option<f64>) -> String {
        let values: Vec<f64> = self.values(peer, number).into_iter().flatten().collect();
        let spread = spread(&values).map_or(0.0, |spread| spread * 100.0);
        let runs = self
            .runs
            .iter()
            .find(|(other, _)| other == peer)
            .map(|(_, runs)| runs);
        let noisy = runs
            .into_iter()
            .flatten()
            .flatten()
            .filter(|record| record.is_noisy())
            .count();
        let total = runs.map_or(0, Vec::len);
        match noisy {
            0 => format!("±{:.0} %", spread / 2.0),
            _ if noisy == total => format!("±{:.0} %, ALL NOISY", spread / 2.0),
            _ => format!("±{:.0} %, {noisy} of {total} left out", spread / 2.0),
        }
    }

    /// What the raw probe said before and after.
    pub(crate) fn probe_line(&self) -> String {
        let (before, after) = self.probe;
        let change = (after / before - 1.0) * 100.0;
        let warning = if change.abs() > 10.0 {
            ": the machine changed its speed"
        } else {
            ""
        };
        format!(
            "bare-loop probe before and after: {before:.2} → {after:.2} µs ({change:+.0} %{warning})"
        )
    }
}
