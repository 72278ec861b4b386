//! Fuzzes the laws of the length-prefixed grammar.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::length_prefixed(data));
