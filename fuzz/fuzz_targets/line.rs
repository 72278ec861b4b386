//! Fuzzes the laws of the line grammar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::line(data));
