//! Echo: every message is sent back. 64 B on 1, 100 and 1000 connections, one or sixteen messages under
//! way on each; 16 KiB on 50.

use super::cpu_table;
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::{Mode, Peer};
use crate::syscalls;
use crate::table::cell;

pub(super) struct Case {
    size: usize,
    connections: usize,
    depth: usize,
}

/// What is sent over TLS and UNIX sockets.
pub(super) const STREAM_CASES: [Case; 3] = [
    Case {
        size: 64,
        connections: 100,
        depth: 1,
    },
    Case {
        size: 64,
        connections: 100,
        depth: 16,
    },
    Case {
        size: 16 * 1024,
        connections: 50,
        depth: 1,
    },
];

const CASES: [Case; 7] = [
    Case {
        size: 64,
        connections: 1,
        depth: 1,
    },
    Case {
        size: 64,
        connections: 100,
        depth: 1,
    },
    Case {
        size: 64,
        connections: 1000,
        depth: 1,
    },
    Case {
        size: 64,
        connections: 1,
        depth: 16,
    },
    Case {
        size: 64,
        connections: 100,
        depth: 16,
    },
    Case {
        size: 64,
        connections: 1000,
        depth: 16,
    },
    Case {
        size: 16 * 1024,
        connections: 50,
        depth: 1,
    },
];

impl Case {
    fn name(&self) -> String {
        format!("{}Bx{}x{}", self.size, self.connections, self.depth)
    }

    fn title(&self, work: &str) -> String {
        let Self {
            size,
            connections,
            depth,
        } = self;
        format!("{work}: {size} B × {connections} connections, depth {depth}")
    }

    fn load(&self) -> Vec<String> {
        let [size, connections, depth] =
            [self.size, self.connections, self.depth].map(|number| number.to_string());
        words(&[
            "echo",
            "--size",
            &size,
            "--connections",
            &connections,
            "--depth",
            &depth,
        ])
    }
}

/// Runs every case that was asked for, and prints a table for each.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    run_cases(bench, "echo", Mode::Echo, &CASES)
}

/// The same for servers of another kind.
pub(super) fn run_cases(bench: &Bench, work: &str, mode: Mode, cases: &[Case]) -> Outcome<()> {
    cases
        .iter()
        .filter(|case| bench.wants(&case.name()))
        .try_for_each(|case| run_case(bench, work, mode, case))
}

fn run_case(bench: &Bench, work: &str, mode: Mode, case: &Case) -> Outcome<()> {
    let load = case.load();
    let results = bench.compare(mode, &load)?;
    let mut columns = vec!["allocations each"];
    if bench.options.syscalls {
        columns.push("recv + send + wait + other calls each");
    }
    let table = cpu_table(&case.title(work), &results, &columns, |peer| {
        let mut cells = vec![cell(bench.allocations(peer, mode, &load), 4)];
        if bench.options.syscalls {
            cells.push(calls(peer, mode, &load));
        }
        cells
    });
    print!("{table}");
    Ok(())
}

fn calls(peer: &Peer, mode: Mode, load: &[String]) -> String {
    match syscalls::per_operation(peer, mode, load) {
        Ok(calls) => {
            let names = ["receive", "send", "wait", "rest"];
            names.map(|name| cell(calls.get(name), 3)).join(" + ")
        }
        Err(error) => error.to_string(),
    }
}
