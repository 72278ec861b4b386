//! Fuzzes the laws of the protocol of NATS.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::nats(data));
