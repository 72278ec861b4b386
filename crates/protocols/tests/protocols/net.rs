//! A reactor that talks with itself over a simulated network.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{ConnectOptions, Factory, Limits, Protocol, Reactor, Reason, Transport};
use ropewalk_sim::{Faults, SimDriver, World};

pub(crate) struct Net {
    pub(crate) reactor: Reactor,
    pub(crate) world: World,
}

/// What a [`Client`] saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) transport: Option<Transport>,
    /// When how many bytes came.
    pub(crate) pieces: Vec<(Duration, usize)>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) lost: Option<String>,
}

pub(crate) type Shared<T> = Rc<RefCell<T>>;

/// Says something at first, and writes down what it hears.
pub(crate) struct Client {
    pub(crate) says: Vec<u8>,
    pub(crate) seen: Shared<Seen>,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        self.seen.borrow_mut().transport = Some(transport.clone());
        transport.write(&self.says);
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut seen = self.seen.borrow_mut();
        seen.pieces.push((transport.reactor().now(), data.len()));
        seen.bytes.extend_from_slice(data);
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.seen.borrow_mut().lost = Some(reason.to_string());
    }
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        let driver = SimDriver::alone(seed);
        let world = driver.world().clone();
        Self {
            reactor: Reactor::new(driver),
            world,
        }
    }

    pub(crate) fn with_faults(self, faults: Faults) -> Self {
        self.world.set_faults(faults);
        self
    }

    pub(crate) fn listen(&mut self, factory: impl Factory) {
        self.listen_with(Limits::default(), factory);
    }

    pub(crate) fn listen_with(&mut self, limits: Limits, factory: impl Factory) {
        self.reactor
            .listen_with("tcp:7000", limits, factory)
            .expect("the port is free");
    }

    /// Connects a client, which says something at first.
    pub(crate) fn dial(&mut self, says: impl Into<Vec<u8>>) -> Shared<Seen> {
        let seen = Shared::<Seen>::default();
        let (mut says, copy) = (Some(says.into()), seen.clone());
        let factory = move || Client {
            says: says.take().unwrap_or_default(),
            seen: copy.clone(),
        };
        let options = ConnectOptions::new("tcp:10.0.0.1:7000").unwrap();
        self.reactor.connect_with(options, factory).unwrap();
        seen
    }

    /// Lets so much time pass.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.reactor.now() + time;
        while self.reactor.now() < end && !self.reactor.is_over() {
            let left = end - self.reactor.now();
            self.reactor.turn(Some(left)).expect("the world goes on");
        }
    }
}

impl Seen {
    pub(crate) fn is_connected(&self) -> bool {
        self.lost.is_none() && self.transport.is_some()
    }
}
