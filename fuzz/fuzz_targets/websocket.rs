//! Fuzzes the laws of WebSocket.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ropewalk_fuzz::websocket(data));
