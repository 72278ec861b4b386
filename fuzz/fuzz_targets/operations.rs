//! Fuzzes programs on simulated networks: bytes are a plan of what protocols do to their connections.
#![no_main]

#[path = "../../crates/core/tests/operations/law.rs"]
mod law;

libfuzzer_sys::fuzz_target!(|plan: &[u8]| {
    law::check(plan);
});
