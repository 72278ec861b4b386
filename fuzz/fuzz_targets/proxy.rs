//! Fuzzes the laws of the PROXY protocol's grammar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::proxy(data));
