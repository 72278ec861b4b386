//! Fuzzes the laws of TLS layers: what peers send before the handshake, after it, and changed on the way.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ropewalk_fuzz::tls(input));
