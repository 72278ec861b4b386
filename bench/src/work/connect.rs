//! Connections made and ended: connect, accept, end of stream, close.

use super::cpu_table;
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::Mode;

/// Runs every peer; an operation is one connection from accept to close.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let results = bench.compare(Mode::Accept, &words(&["connect"]))?;
    let title = "connect: connect, accept, end of stream, close";
    let table = cpu_table(title, &results, &[], |_| Vec::new());
    print!("{table}");
    Ok(())
}
