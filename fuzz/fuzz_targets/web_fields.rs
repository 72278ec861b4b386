//! Fuzzes what the web makes of paths, fields and forms.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::web_fields(data));
