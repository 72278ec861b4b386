//! Memory: what a kept HTTP connection costs the server, before a request and after one with a browser's headers.

use std::time::Duration;

use super::Target;
use super::http::Requests;
use super::idle::settled_bytes;
use super::slice::Generator;
use crate::Outcome;
use crate::record::Record;

/// Connects everybody, and asks once on each.
pub(crate) fn run(target: &Target) -> Outcome<Record> {
    let mut record = Record::default();
    let count = target.connections as f64;
    // The first connection makes the server set up what it sets up once.
    let alone = Target {
        connections: 1,
        ..target.clone()
    };
    let mut first = Requests::new(&alone, 1, "/", true)?;
    first.work(Duration::ZERO)?;
    let empty = settled_bytes(target.pid)?;

    let mut all = Requests::new(target, 1, "/", true)?;
    let connected = settled_bytes(target.pid)?;
    record.set("connected_bytes", (connected - empty) / count);
    all.work(Duration::ZERO)?;
    let used = settled_bytes(target.pid)?;
    record.set("used_bytes", (used - empty) / count);
    Ok(record)
}
