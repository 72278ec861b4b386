//! The servers that are useful as they are.

mod daytime;
mod forward;
mod procmon;
mod wire;

pub(crate) use self::forward::forward;
pub(crate) use self::procmon::procmon;
pub(crate) use self::wire::{Chargen, Daytime, Discard, Echo};
