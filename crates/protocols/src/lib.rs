//! Ropewalk's generic protocols and policies: lines, length prefixes, netstrings, time-outs, limits, shaping.

mod line_protocol;
mod line_receiver;
mod messages;
mod string_protocol;
mod string_receiver;

pub use line_protocol::{LineMode, LineProtocol, Lines};
pub use line_receiver::LineReceiver;
pub use messages::{EarlyBytes, Messages};
pub use ropewalk_grammar::{Delimiter, LineError};
pub use string_protocol::{StringError, StringFraming, StringProtocol, StringSender, Strings};
pub use string_receiver::StringReceiver;
