//! What the layers of a connection found out about it.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use crate::address::Address;

/// A fact of every connection whose bytes nobody between the ends can read or change: its layers have TLS or the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted;

/// What layers tell of a connection once they are open: who is at the other end in truth, and anything else, by type.
///
/// Layers tell in their order, lowest first; what an upper one says of the same thing stands.
#[derive(Clone, Default)]
pub struct Facts {
    pub(crate) host: Option<Address>,
    pub(crate) peer: Option<Address>,
    others: Vec<Rc<dyn Any>>,
}

impl Facts {
    /// The connection was made for this address of ours, as a proxy before us says.
    pub fn set_host(&mut self, host: Address) {
        self.host = Some(host);
    }

    /// The connection comes from this address, as a proxy before us says.
    pub fn set_peer(&mut self, peer: Address) {
        self.peer = Some(peer);
    }

    /// Tells something of a type of its own; [`Transport::fact`](crate::Transport::fact) finds it by that type.
    pub fn add<T: 'static>(&mut self, fact: T) {
        self.others.retain(|other| !other.is::<T>());
        self.others.push(Rc::new(fact));
    }

    pub(crate) fn find<T: 'static>(&self) -> Option<Rc<T>> {
        let mut others = self.others.iter();
        others.find_map(|other| Rc::clone(other).downcast().ok())
    }

    /// Adds what was learned later; of the same thing, the later stands.
    pub(crate) fn extend(&mut self, later: Self) {
        self.host = later.host.or(self.host.take());
        self.peer = later.peer.or(self.peer.take());
        self.others.retain(|old| {
            !later
                .others
                .iter()
                .any(|new| (**new).type_id() == (**old).type_id())
        });
        self.others.extend(later.others);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.host.is_none() && self.peer.is_none() && self.others.is_empty()
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("host", &self.host)
            .field("peer", &self.peer)
            .field("others", &self.others.len())
            .finish()
    }
}
