//! The manual: prose that belongs to no type. Start with [`tutorial`].

pub mod blocking;
#[cfg(feature = "mio")]
pub mod cores;
#[cfg(feature = "enterprise")]
pub mod database;
pub mod datagrams;
pub mod deferreds;
pub mod endpoints;
pub mod from_tokio;
pub mod from_twisted;
#[cfg(feature = "web")]
pub mod http_client;
pub mod limits;
pub mod services;
#[cfg(all(feature = "web", feature = "mio"))]
pub mod topics;
pub mod tutorial;
#[cfg(feature = "web")]
pub mod web;
#[cfg(feature = "web")]
pub mod web_in_production;
#[cfg(feature = "web")]
pub mod websocket;
