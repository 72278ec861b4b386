//! A connection that speaks another protocol than HTTP now.

use std::fmt;
use std::rc::Rc;

use ropewalk_core::{Protocol, Transport};

use super::connection::Connection;

/// A connection that the server has agreed to use for another protocol (101): give it that protocol.
///
/// It is closed if it is dropped before.
pub struct Upgraded(Option<Rc<Connection>>);

impl Upgraded {
    pub(super) fn new(connection: Rc<Connection>) -> Self {
        Self(Some(connection))
    }

    /// The connection, for facts about it. Nothing is read before there is a protocol.
    pub fn transport(&self) -> &Transport {
        let connection = self.0.as_ref();
        &connection
            .expect("it is there until it is given away")
            .transport
    }

    /// Gives the connection to a protocol, which gets what has come behind the response.
    pub fn switch_protocol(mut self, protocol: impl Protocol) {
        if let Some(connection) = self.0.take() {
            let transport = connection.transport.clone();
            transport.resume_reading();
            transport.switch_protocol(protocol, connection.take_over());
        }
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.close();
        }
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upgraded({:?})", self.transport())
    }
}
