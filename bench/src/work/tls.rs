//! TLS: full handshakes, and echo over it.

use super::{cpu_table, echo, ratio_cells};
use crate::Outcome;
use crate::bench::{Bench, words};
use crate::server::{Mode, Peer};

/// Full TLS 1.3 handshakes, each with a goodbye of both sides.
pub(crate) fn handshakes(bench: &Bench) -> Outcome<()> {
    let results = bench.compare(Mode::TlsHandshake, &words(&["connect"]))?;
    let title = "tls-handshake: connect, shake hands in full, goodbye, close; ECDSA P-256, X25519";
    let table = cpu_table(title, &results, &["total ÷ nginx"], |peer| {
        ratio_cells(&results, peer, &[Peer::Nginx])
    });
    print!("{table}");
    Ok(())
}

/// Every message is sent back, encrypted.
pub(crate) fn echo(bench: &Bench) -> Outcome<()> {
    echo::run_cases(bench, "tls-echo", Mode::TlsEcho, &echo::STREAM_CASES)
}
