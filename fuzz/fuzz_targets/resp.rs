//! Fuzzes the laws of the protocol of Redis.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::resp(data));
