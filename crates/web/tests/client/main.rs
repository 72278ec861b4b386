//! The client against servers that tests play, in simulated networks.

mod bodies;
mod hostile;
mod law;
mod laws;
mod pool;
mod proxies;
mod redirects;
mod requests;
mod scene;
#[cfg(feature = "tls")]
mod tls;
mod worlds;
