//! What a timer does when it comes due.

use std::panic::Location;

use crate::connection::Deadline;
use crate::connector::Connector;
use crate::driver::ConnId;
use crate::handle::Handle;
use crate::registry::{LentCall, LentClosure};

pub(crate) enum Timed {
    /// `call_later` of a handle, and where it was called.
    Call(Box<dyn FnOnce(&Handle)>, &'static Location<'static>),
    /// `call_later` of a transport, and where it was called: the protocol is lent. The parts of a [`LentCall`], laid out
    /// so that a timer is no larger for it.
    Lent {
        conn: ConnId,
        epoch: u32,
        call: LentClosure,
        made: &'static Location<'static>,
    },
    /// A connection waited long enough for something.
    Deadline(ConnId, Deadline),
    /// It is time to look how far everything is that ends.
    Drains,
    /// An attempt to connect took too long.
    ConnectTimeout(Connector),
    /// Another address is to be tried beside those that do not answer.
    NextAttempt(Connector),
}

impl Timed {
    pub(crate) fn lent(lent: LentCall, made: &'static Location<'static>) -> Self {
        let LentCall { conn, epoch, call } = lent;
        Self::Lent {
            conn,
            epoch,
            call,
            made,
        }
    }

    /// Whose protocol it wants.
    pub(crate) fn lent_to(&self) -> Option<ConnId> {
        match self {
            Self::Lent { conn, .. } => Some(*conn),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million of them may be pending.
    #[test]
    fn a_timer_is_small() {
        assert!(size_of::<Option<Timed>>() <= 40);
    }
}
