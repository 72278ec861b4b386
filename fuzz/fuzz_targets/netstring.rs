//! Fuzzes the laws of the netstring grammar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::netstring(data));
