//! Fuzzes the laws of HTTP/1.1, on responses.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::http1_response(data));
