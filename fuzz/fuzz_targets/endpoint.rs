//! Fuzzes the laws of endpoint strings.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| ropewalk_fuzz::endpoint(text));
