//! WebSocket on the reactor: rules R161 to R166 and advisories WS-01 to WS-09 on connections that a test feeds, and worlds.

mod agreeing;
mod asking;
mod broadcast;
mod client;
mod journal;
mod order;
mod roads;
mod server;
mod service;
mod silence;
mod slow_worlds;
mod talking;
mod worlds;
