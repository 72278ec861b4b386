//! The suite on the simulated driver: both moods, either family, a kind network and one that only ever keeps its promises.

use std::net::Ipv6Addr;
use std::time::Duration;

use ropewalk_sim::{Faults, Mood, SimDriver};
use ropewalk_testing::conformance::Harness;
use ropewalk_testing::{conformance, conformance_unix};

/// How many worlds each rule is tried in under faults.
const WORLDS: u64 = 20;

fn kind(mood: Mood) -> Harness {
    Harness::new(move |seed| SimDriver::alone(seed).with_mood(mood)).bulk_bytes(1_000_000)
}

/// Late, in pieces, through small buffers and pauses, but all of it.
fn gentle(mood: Mood) -> Harness {
    let make = move |seed| {
        let driver = SimDriver::alone(seed).with_mood(mood);
        driver.world().set_faults(Faults::gentle());
        driver
    };
    Harness::new(make)
        .rounds(WORLDS)
        .bulk_bytes(220_000)
        .patience(Duration::from_secs(24 * 3600))
}

conformance!(readiness, kind(Mood::Readiness));
conformance!(completion, kind(Mood::Completion));
conformance!(ipv6, kind(Mood::Readiness).loopback(Ipv6Addr::LOCALHOST));
conformance!(readiness_under_faults, gentle(Mood::Readiness));
conformance!(completion_under_faults, gentle(Mood::Completion));
conformance_unix!(unix_readiness, kind(Mood::Readiness));
conformance_unix!(unix_completion, kind(Mood::Completion));
conformance_unix!(unix_readiness_under_faults, gentle(Mood::Readiness));
conformance_unix!(unix_completion_under_faults, gentle(Mood::Completion));
