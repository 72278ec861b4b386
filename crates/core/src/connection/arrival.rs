//! A connection on its way from the driver to the registry.

use crate::address::Address;
use crate::descriptor::PeerCredentials;
use crate::driver::ConnId;

/// What the driver says of a connection that is there.
pub(crate) struct Arrival {
    pub(crate) id: ConnId,
    pub(crate) host: Address,
    pub(crate) peer: Address,
    pub(super) credentials: Option<PeerCredentials>,
}

impl Arrival {
    pub(crate) const fn new(
        id: ConnId,
        host: Address,
        peer: Address,
        credentials: Option<PeerCredentials>,
    ) -> Self {
        Self {
            id,
            host,
            peer,
            credentials,
        }
    }
}
