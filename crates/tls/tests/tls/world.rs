//! Two ends in a simulated network, and what happened to each.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{ConnectError, Connector, Factory, Protocol, Reactor, Reason, Transport};
use ropewalk_sim::{Faults, SimDriver};
use ropewalk_tls::{TlsClient, TlsFactory, TlsFacts, TlsServer};

/// What happened at one end, in order.
#[derive(Clone, Default)]
pub(crate) struct Diary(Rc<RefCell<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

type OnHeard = Box<dyn Fn(&Transport, &[u8])>;

/// A protocol whose behaviour is closures.
pub(crate) struct Actor {
    pub(crate) diary: Diary,
    heard: Vec<u8>,
    on_made: Box<dyn Fn(&Transport)>,
    on_heard: OnHeard,
    ends_at_eof: bool,
}

impl Actor {
    pub(crate) fn new(diary: &Diary) -> Self {
        Self {
            diary: diary.clone(),
            heard: Vec::new(),
            on_made: Box::new(|_| {}),
            on_heard: Box::new(|_, _| {}),
            ends_at_eof: true,
        }
    }

    pub(crate) fn on_made(mut self, call: impl Fn(&Transport) + 'static) -> Self {
        self.on_made = Box::new(call);
        self
    }

    /// Called with all that was heard so far.
    pub(crate) fn on_heard(mut self, call: impl Fn(&Transport, &[u8]) + 'static) -> Self {
        self.on_heard = Box::new(call);
        self
    }

    pub(crate) fn stays_at_eof(mut self) -> Self {
        self.ends_at_eof = false;
        self
    }
}

impl Protocol for Actor {
    fn connection_made(&mut self, transport: &Transport) {
        self.diary.note("made");
        (self.on_made)(transport);
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard.extend_from_slice(data);
        (self.on_heard)(transport, &self.heard);
    }
    fn eof_received(&mut self, transport: &Transport) {
        self.diary.note("eof");
        if self.ends_at_eof {
            transport.lose_connection();
        }
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        let heard = match self.heard.len() {
            0..100 => String::from_utf8_lossy(&self.heard).into_owned(),
            many => format!("{many} bytes"),
        };
        self.diary.note(format!("heard {heard:?}, {reason}"));
    }
}

/// Notes why attempts fail.
pub(crate) struct Noting<F>(pub(crate) Diary, pub(crate) F);

impl<F: Factory> Factory for Noting<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.1.build_protocol(transport)
    }
    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.1)
    }
    fn connection_failed(&mut self, _: &Connector, error: ConnectError) {
        self.0.note(error);
    }
}

pub(crate) const ADDRESS: &str = "tcp:10.0.0.1:443";

pub(crate) fn calm() -> Reactor {
    Reactor::new(SimDriver::alone(1))
}

pub(crate) fn gentle(seed: u64) -> Reactor {
    let driver = SimDriver::alone(seed);
    driver.world().set_faults(Faults::gentle());
    Reactor::new(driver)
}

/// Runs the world for so long of its time.
pub(crate) fn run_for(reactor: &mut Reactor, time: Duration) {
    let handle = reactor.handle();
    handle.call_later(time, |handle| handle.stop());
    reactor.run().unwrap();
}

/// Runs a server and one client for more than an hour of their time; gives both diaries.
pub(crate) fn meet(
    reactor: &mut Reactor,
    server: &TlsServer,
    client: &TlsClient,
    serve: impl Fn(&Diary) -> Actor + 'static,
    visit: impl Fn(&Diary) -> Actor + 'static,
) -> (Vec<String>, Vec<String>) {
    meet_as("a.example", reactor, server, client, serve, visit)
}

pub(crate) fn meet_as(
    name: &str,
    reactor: &mut Reactor,
    server: &TlsServer,
    client: &TlsClient,
    serve: impl Fn(&Diary) -> Actor + 'static,
    visit: impl Fn(&Diary) -> Actor + 'static,
) -> (Vec<String>, Vec<String>) {
    let (theirs, ours) = (Diary::default(), Diary::default());
    let (at_server, at_client, failed) = (theirs.clone(), ours.clone(), ours.clone());
    let serve = TlsFactory::server(server, move || serve(&at_server));
    let visit = TlsFactory::client(client, name, move || visit(&at_client)).unwrap();
    let port = reactor.listen(ADDRESS, serve).unwrap();
    reactor.connect(ADDRESS, Noting(failed, visit)).unwrap();
    run_for(reactor, Duration::from_secs(6000));
    drop(port);
    (theirs.take(), ours.take())
}

pub(crate) fn facts(transport: &Transport) -> Rc<TlsFacts> {
    transport.fact().expect("TLS told its facts")
}
