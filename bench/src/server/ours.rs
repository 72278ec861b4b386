//! Ropewalk, written as its users write it. Everything that the bench knows of our engine is in this file and in
//! `our_cores.rs` and `our_ws.rs`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ropewalk::protocols::PortForwarder;
use ropewalk::timer::DelayedCall;
use ropewalk::tls::{Certificates, ServerOptions, TlsFactory, TlsServer};
use ropewalk::{
    Address, DatagramProtocol, DatagramTransport, Deferred, Handle, Limits, Protocol, Reactor,
    Transport,
};

use super::{Mode, announce, http, our_cores, our_ws, static_files};
use crate::Outcome;
use crate::cpu::ThreadWatch;
use crate::record::Record;
use crate::work::tasks::{self, CHAINED, Executor};
use crate::work::timers::{self, Timers};
use crate::{socket, tls};

const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Serves until killed.
pub(crate) fn serve(mode: Mode, backend: u16) -> Outcome<()> {
    if mode.tells_core() {
        return our_cores::serve(mode);
    }
    let mut reactor = ropewalk::reactor()?;
    let endpoint = "tcp:127.0.0.1:0:backlog=4096";
    let port = match mode {
        Mode::Echo | Mode::Idle => reactor.listen(endpoint, || Echo)?,
        Mode::EchoTimeout => reactor.listen(endpoint, || EchoWithTimeout)?,
        Mode::Accept => reactor.listen(endpoint, || WaitForEnd)?,
        _ if mode.is_ws() => return our_ws::serve(reactor, endpoint, mode),
        Mode::Udp | Mode::UdpBatched => return serve_udp(reactor),
        Mode::Http | Mode::HttpRoutes => reactor.listen(endpoint, http::site())?,
        Mode::Static => reactor.listen(endpoint, static_files::site()?)?,
        Mode::Broadcast => {
            let everyone = Everyone::default();
            reactor.listen(endpoint, move || Broadcast(Rc::clone(&everyone)))?
        }
        Mode::Unix => {
            let name = socket::unix_name(std::process::id());
            reactor.listen(format!("unix:@{name}:backlog=4096").as_str(), || Echo)?
        }
        Mode::Forward => {
            let to = format!("tcp:127.0.0.1:{backend}");
            let limits = Limits {
                pause_reading_when_full: false,
                ..Limits::default()
            };
            reactor.listen_with(endpoint, limits, PortForwarder::new(to.as_str())?)?
        }
        _ => {
            let certificates = Certificates::from_pem(tls::CERTIFICATE, tls::KEY)?;
            let options = ServerOptions::new(certificates).without_resumption();
            reactor.listen(
                endpoint,
                TlsFactory::server(&TlsServer::new(options)?, || Echo),
            )?
        }
    };
    announce(port.host().port().unwrap_or_default())?;
    Ok(reactor.run()?)
}

fn serve_udp(mut reactor: Reactor) -> Outcome<()> {
    let port = reactor.listen_datagram("udp:127.0.0.1:0", EchoDatagrams)?;
    announce(port.host().port().ok_or("no port")?)?;
    Ok(reactor.run()?)
}

struct EchoDatagrams;

impl DatagramProtocol for EchoDatagrams {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
        let _ = transport.write_to(data, peer);
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

struct EchoWithTimeout;

impl Protocol for EchoWithTimeout {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_timeout(Some(IDLE_LIMIT));
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

struct WaitForEnd;

impl Protocol for WaitForEnd {
    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

type Everyone = Rc<RefCell<Vec<Transport>>>;

struct Broadcast(Everyone);

impl Protocol for Broadcast {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.borrow_mut().push(transport.clone());
    }

    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        let message = Bytes::copy_from_slice(data);
        for transport in self.0.borrow().iter() {
            transport.write_owned(message.clone());
        }
    }
}

/// Our timers, from within a turn, where protocols are that use them.
pub(crate) fn timers() -> Outcome<Record> {
    let mut reactor = ropewalk::reactor()?;
    let outcome = Rc::new(RefCell::new(None));
    let there = Rc::clone(&outcome);
    reactor.call_soon(move |reactor| {
        let mut timers = OurTimers {
            reactor: reactor.clone(),
            called: Rc::default(),
        };
        *there.borrow_mut() = Some(timers::measure(&mut timers));
    });
    reactor.turn(Some(Duration::ZERO))?;
    outcome.take().ok_or("the reactor did not run")?
}

struct OurTimers {
    reactor: Handle,
    called: Rc<Cell<usize>>,
}

impl Timers for OurTimers {
    type Timer = DelayedCall;

    fn schedule(&mut self, delay: Duration) -> DelayedCall {
        // As nearly every call, it holds something; so it is one allocation, as tokio's sleep is.
        let called = Rc::clone(&self.called);
        self.reactor
            .call_later(delay, move |_| called.set(called.get() + 1))
    }

    fn reset(&mut self, timer: &mut DelayedCall, delay: Duration) -> Outcome<()> {
        Ok(timer.reset(delay)?)
    }

    fn cancel(&mut self, timer: DelayedCall) -> Outcome<()> {
        Ok(timer.cancel()?)
    }
}

/// Our tasks, and a long chain of Deferreds.
pub(crate) fn tasks() -> Outcome<Record> {
    let mut executor = OurTasks(ropewalk::reactor()?);
    let mut record = tasks::measure(&mut executor)?;
    record.set("chain", chain(&mut executor)?);
    Ok(record)
}

struct OurTasks(Reactor);

impl Executor for OurTasks {
    fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        drop(self.0.spawn(future));
    }

    fn run_until(&mut self, done: impl Fn() -> bool) -> Outcome<()> {
        while !done() {
            self.0.turn(Some(Duration::ZERO))?;
        }
        Ok(())
    }
}

/// Nanoseconds per Deferred to build, fire and drop a long chain of them.
fn chain(executor: &mut OurTasks) -> Outcome<f64> {
    let result = Rc::new(Cell::new(0));
    let mut watch = ThreadWatch::start();
    let (mut last, resolver) = Deferred::new(&executor.0);
    for _ in 0..CHAINED {
        last = last.add_callback(|number: u32| Ok(number + 1));
    }
    let there = Rc::clone(&result);
    drop(last.add_callback(move |number| there.set(number)));
    resolver.resolve(0)?;
    executor.run_until(|| result.get() > 0)?;
    let nanoseconds = watch.lap_ns() / f64::from(CHAINED);
    if result.get() == CHAINED {
        Ok(nanoseconds)
    } else {
        Err("a callback was lost".into())
    }
}
