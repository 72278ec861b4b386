//! The adapters and policies on the engine's own transport, by the rules.

mod forwarding;
mod limits;
mod line;
mod line_upgrade;
mod net;
mod proxy;
mod shaping;
mod split;
mod string;
mod timeout;
mod traffic;
mod wire;
mod wrapping;
