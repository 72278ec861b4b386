//! What a timer does when it comes due.

use crate::connection::Deadline;
use crate::connector::Connector;
use crate::driver::ConnId;
use crate::handle::Handle;
use crate::registry::LentCall;

pub(crate) enum Timed {
    /// `call_later` of a handle.
    Call(Box<dyn FnOnce(&Handle)>),
    /// `call_later` of a transport: the protocol is lent.
    Lent(LentCall),
    /// A connection waited long enough for something.
    Deadline(ConnId, Deadline),
    /// An attempt to connect took too long.
    ConnectTimeout(Connector),
}
