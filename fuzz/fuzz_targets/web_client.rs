//! Fuzzes what the web's client makes of URLs, cookies and redirects.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::web_client(data));
