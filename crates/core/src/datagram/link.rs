//! What the handles of a datagram port and the reactor share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::error::DatagramError;
use crate::address::{Address, UnixAddress};
use crate::driver::{DatagramQueue, PortId};
use crate::handle::Handle;
use crate::service::Ends;

/// The longest payload of UDP over IPv4: 65 535 bytes less both headers (RFC 791, RFC 768).
const LONGEST_V4: usize = 65_507;
/// Over IPv6 its own header does not count (RFC 8200, section 3).
const LONGEST_V6: usize = 65_527;

/// One line about lost datagrams in this time: a flood must not fill the disk as well.
const LOG_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct DatagramLink {
    pub(crate) id: PortId,
    pub(crate) handle: Handle,
    pub(crate) host: Address,
    pub(crate) limit_bytes: usize,
    /// The port is there, and nobody asked to close it.
    pub(crate) open: Cell<bool>,
    /// Inside its own event: the driver flushes right after the batch.
    pub(crate) corked: Cell<bool>,
    /// On the attention list already.
    pub(crate) noted: Cell<bool>,
    pub(crate) paused: Cell<bool>,
    /// The driver was told to pause.
    pub(crate) driver_paused: Cell<bool>,
    /// The driver could not send all; it will say when to go on.
    pub(crate) blocked: Cell<bool>,
    /// The kernel does not know of `peer` yet: what is written waits.
    pub(crate) connecting: Cell<bool>,
    pub(crate) peer: RefCell<Option<Address>>,
    pub(crate) queue: RefCell<DatagramQueue>,
    pub(crate) lost: Cell<u64>,
    unlogged: Cell<u64>,
    logged_at: Cell<Option<Duration>>,
}

impl Ends for DatagramLink {
    fn is_over(&self) -> bool {
        !self.open.get()
    }

    fn end(self: Rc<Self>, handle: &Handle) {
        let id = self.id;
        handle.command(move |engine| engine.close_port(id));
    }
}

impl DatagramLink {
    pub(crate) fn new(id: PortId, handle: Handle, host: Address, limit_bytes: usize) -> Self {
        Self {
            id,
            handle,
            host,
            limit_bytes,
            open: Cell::new(true),
            corked: Cell::new(false),
            noted: Cell::new(false),
            paused: Cell::new(false),
            driver_paused: Cell::new(false),
            blocked: Cell::new(false),
            connecting: Cell::new(false),
            peer: RefCell::default(),
            queue: RefCell::default(),
            lost: Cell::new(0),
            unlogged: Cell::new(0),
            logged_at: Cell::new(None),
        }
    }

    /// Puts the port on the attention list: the reactor settles it at the end of the turn.
    pub(crate) fn note(&self) {
        if !self.noted.replace(true) {
            self.handle.shared().noted_ports.borrow_mut().push(self.id);
        }
    }

    /// Whether the driver shall deliver nothing for now.
    pub(crate) fn wants_quiet(&self) -> bool {
        self.paused.get() || !self.open.get()
    }

    /// Whether the port can reach that address at all (R86).
    pub(crate) fn check_family(&self, peer: &Address) -> Result<(), DatagramError> {
        let fits = match (&self.host, peer) {
            (Address::Udp(host), Address::Udp(peer)) => host.is_ipv4() == peer.is_ipv4(),
            (Address::Unix(_), Address::Unix(peer)) => *peer != UnixAddress::Unnamed,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let (host, peer) = (self.host.clone(), peer.clone());
        Err(DatagramError::WrongFamily { host, peer })
    }

    fn check_length(&self, len: usize) -> Result<(), DatagramError> {
        let limit = match &self.host {
            Address::Udp(host) if host.is_ipv4() => LONGEST_V4,
            Address::Udp(_) => LONGEST_V6,
            _ => DatagramQueue::MOST_BYTES,
        };
        if len <= limit {
            return Ok(());
        }
        Err(DatagramError::TooLong { len, limit })
    }

    /// Queues a datagram.
    #[inline]
    pub(crate) fn push(&self, data: &[u8], peer: Option<&Address>) -> Result<(), DatagramError> {
        if !self.open.get() {
            return Err(DatagramError::Closed(self.host.clone()));
        }
        self.check_length(data.len())?;
        let taken = self.queue.borrow_mut().push(data, peer);
        if !taken {
            return Err(self.full());
        }
        if !self.corked.get() {
            self.note();
        }
        Ok(())
    }

    #[cold]
    fn full(&self) -> DatagramError {
        self.count_lost(1, &"too much waits to be sent");
        DatagramError::Full {
            host: self.host.clone(),
            waiting: self.queue.borrow().len(),
        }
    }

    /// Counts what the kernel did not take.
    pub(crate) fn settle_losses(&self) {
        let lost = self.queue.borrow_mut().take_lost();
        if let Some((count, why)) = lost {
            self.count_lost(count, &why);
        }
    }

    #[cold]
    fn count_lost(&self, count: u64, why: &dyn std::fmt::Display) {
        self.lost.set(self.lost.get() + count);
        self.unlogged.set(self.unlogged.get() + count);
        let now = self.handle.now();
        if self
            .logged_at
            .get()
            .is_none_or(|logged| now >= logged + LOG_EVERY)
        {
            self.logged_at.set(Some(now));
            let (port, lost) = (&self.host, self.unlogged.take());
            tracing::warn!(%port, "{lost} datagrams were not sent; the last: {why}");
        }
    }
}
