//! Masking of a WebSocket payload, as the grammar does it, against the byte loop of RFC 6455 5.3. In-process, CPU time of the thread;
//! the source measured is the grammar's own.

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the keys of clients are not measured")
)]
#[path = "../../../crates/grammar/src/websocket/mask.rs"]
mod mask;
#[cfg_attr(not(test), expect(dead_code, reason = "masking needs no more of it"))]
#[path = "../../../crates/grammar/src/websocket/sha1.rs"]
mod sha1;

use std::hint::black_box;

use crate::Outcome;
use crate::cpu::ThreadWatch;
use crate::table::{Table, cell};

const SIZES: [usize; 3] = [64, 1024, 65536];
/// So many bytes are masked in each round, whatever the size.
const BYTES: usize = 64 * 1024 * 1024;
/// The best of these counts: what disturbs it only adds.
const ROUNDS: usize = 7;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Masks payloads of each size both ways, in turn.
pub(crate) fn run() -> Outcome<()> {
    let columns = ["payload", "words ÷ bytes", "(words ns)", "(bytes ns)"];
    let title = "ws-mask: masking a payload word by word, divided by the byte loop";
    let mut table = Table::new(title, &columns);
    for size in SIZES {
        let mut payload: Vec<u8> = (0..size).map(|at| at as u8).collect();
        let (mut words, mut bytes) = (f64::MAX, f64::MAX);
        for _ in 0..ROUNDS {
            words = words.min(time(&mut payload, |payload| {
                mask::mask(payload, black_box(KEY), 0);
            }));
            bytes = bytes.min(time(&mut payload, byte_loop));
        }
        table.row(vec![
            format!("{size} B"),
            cell(Some(words / bytes), 3),
            cell(Some(words), 1),
            cell(Some(bytes), 1),
        ]);
    }
    print!("{table}");
    Ok(())
}

/// How long one payload takes, in nanoseconds.
fn time(payload: &mut [u8], mask: impl Fn(&mut [u8])) -> f64 {
    let times = BYTES / payload.len();
    let mut watch = ThreadWatch::start();
    for _ in 0..times {
        mask(black_box(payload));
    }
    watch.lap_ns() / times as f64
}

/// `transformed-octet-i = original-octet-i XOR masking-key-octet-j`, as the standard writes it.
fn byte_loop(payload: &mut [u8]) {
    let key = black_box(KEY);
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[at % 4];
    }
}
