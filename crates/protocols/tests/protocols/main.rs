//! The adapters and policies on the engine's own transport, by the rules.

mod line;
mod line_upgrade;
mod split;
mod string;
