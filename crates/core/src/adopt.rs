//! Connections and ports made of descriptors that come from elsewhere: handed over by another reactor, inherited, or the
//! standard input and output.
//!
//! ```text
//!   parent, systemd ─► Inherited ─┐
//!   another reactor ─► Descriptor ├─► Driver::descriptors ─► Event::Connected ─► a connection like any other
//!   the shell ───────► stdio ─────┘
//! ```
//!
//! All of it goes by the usual ways, [`Handle::listen`] and [`Handle::connect`]: a [`Listening`] or a [`Destination`] that
//! holds a descriptor opens it once, and fails the second time (R114).

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;

use crate::address::Address;
use crate::deferred::Deferred;
use crate::descriptor::{Descriptor, Inherited};
use crate::driver::{ConnId, Descriptors, Driver, ListenerId, StreamOptions};
use crate::endpoint::{Destination, Listening, Open, Route, Source};
use crate::factory::Factory;
use crate::handle::Handle;
use crate::limits::Limits;
use crate::port::{ListeningPort, Port, PortSource};
use crate::protocol::Protocol;
use crate::rarely::Rarely;
use crate::transport::Transport;

/// Serves connections that come as descriptors, as a port serves those that come to it: for those that another reactor
/// accepted ([`Listen::hand_over`](crate::driver::Listen::hand_over)).
///
/// The factory is started now, and stopped when the last clone is dropped; connections live on.
#[derive(Clone)]
pub struct Adopter(Rc<State>);

struct State {
    port: Rc<Port>,
}

impl Adopter {
    /// Serves a connected socket. One that cannot be served any more is logged and closed, as a port does with a
    /// connection that breaks while it is accepted.
    pub fn adopt(&self, socket: Descriptor) {
        let port = Rc::clone(&self.0.port);
        self.0.port.handle.command(move |engine| {
            let adopted = capable(&mut *engine.driver);
            match adopted.and_then(|driver| driver.adopt_stream(socket, None)) {
                Ok((conn, _)) => drop(engine.registry.arrivals.insert(conn.0, port)),
                Err(error) => tracing::info!(%error, "a connection that was handed over is gone"),
            }
        });
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let port = Rc::clone(&self.port);
        let handle = &self.port.handle;
        handle.command(move |_| port.factory.borrow_mut().stop_factory());
    }
}

impl fmt::Debug for Adopter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Adopter")
    }
}

impl Handle {
    /// What serves connected descriptors with a factory, like a port.
    #[track_caller]
    #[must_use]
    pub fn adopter(&self, limits: Limits, factory: impl Factory) -> Adopter {
        let port = Rc::new(Port {
            handle: self.clone(),
            source: Cell::new(PortSource::Stopped),
            host: Address::Pipe,
            endpoint: String::new(),
            options: StreamOptions::default(),
            factory: std::cell::RefCell::new(Box::new(factory)),
            limits: Rc::new(limits),
            made: Location::caller(),
            stillborn: Rarely::default(),
        });
        let started = Rc::clone(&port);
        self.command(move |_| started.factory.borrow_mut().start_factory());
        Adopter(Rc::new(State { port }))
    }

    /// Serves a connected socket with one protocol; fires after `connection_made` returned.
    #[track_caller]
    #[doc(alias = "adoptStreamConnection")]
    pub fn adopt_stream(&self, socket: Descriptor, protocol: impl Protocol) -> Deferred<Transport> {
        self.connect_protocol(Destination::adopted(socket), protocol)
    }

    /// Serves two descriptors, such as the pipes of a child, as one connection with one protocol. The end of the one is
    /// `eof_received`, and closing our half closes the other.
    #[track_caller]
    pub fn adopt_pair(
        &self,
        read: Descriptor,
        write: Descriptor,
        protocol: impl Protocol,
    ) -> Deferred<Transport> {
        self.connect_protocol(Destination::adopted_pair(read, write), protocol)
    }

    /// Serves standard input and output as one connection, once in a process. When it ends their flags are set back,
    /// because the shell and other programs share them.
    ///
    /// What the program itself prints meanwhile and after goes to standard error, so that it neither gets into the
    /// stream nor is lost. Terminals, pipes, sockets, files and `/dev/null` are all served; reading a file may block for
    /// a moment.
    #[track_caller]
    #[doc(alias = "StandardIO")]
    pub fn standard_io(&self, protocol: impl Protocol) -> Deferred<Transport> {
        self.connect_protocol(Destination::standard_io(), protocol)
    }

    /// Listens with a socket that is bound already: TCP or UNIX, as it is; the port tells its address (R114).
    #[track_caller]
    #[doc(alias = "adoptStreamPort")]
    pub fn adopt_port(&self, socket: Descriptor, factory: impl Factory) -> Deferred<ListeningPort> {
        self.listen(Listening::adopted(socket), factory)
    }
}

impl Listening {
    /// At a socket that is bound already. It can be listened at once.
    #[must_use]
    pub fn adopted(socket: Descriptor) -> Self {
        let once = Once::new(socket);
        let open = Open::new(move |driver| adopt_listener(driver, once.take()?));
        Self::new(Source::Adopt(open), "an adopted descriptor")
    }

    /// At a socket that the parent left open. It can be listened at once in a process.
    #[must_use]
    pub fn inherited(which: Inherited) -> Self {
        let text = which.to_string();
        let open = Open::new(move |driver| {
            let socket = capable(driver)?.inherit(&which)?;
            adopt_listener(driver, socket)
        });
        Self::new(Source::Adopt(open), text)
    }

    /// At standard input and output, which are one connection.
    #[must_use]
    pub fn standard_io() -> Self {
        Self::new(Source::Once(open_standard_io()), "stdio:")
    }
}

impl Destination {
    /// By a connected socket. It can be had once.
    #[must_use]
    pub fn adopted(socket: Descriptor) -> Self {
        let once = Once::new(socket);
        let open = Open::new(move |driver| capable(driver)?.adopt_stream(once.take()?, None));
        Self::new(Route::Open(open), "an adopted descriptor")
    }

    /// By two descriptors. They can be had once.
    #[must_use]
    pub fn adopted_pair(read: Descriptor, write: Descriptor) -> Self {
        let once = Once::new((read, write));
        let open = Open::new(move |driver| {
            let (read, write) = once.take()?;
            capable(driver)?.adopt_stream(read, Some(write))
        });
        Self::new(Route::Open(open), "a pair of adopted descriptors")
    }

    /// By a connected socket that the parent left open. It can be had once in a process.
    #[must_use]
    pub fn inherited(which: Inherited) -> Self {
        let text = which.to_string();
        let open = Open::new(move |driver| {
            let driver = capable(driver)?;
            let socket = driver.inherit(&which)?;
            driver.adopt_stream(socket, None)
        });
        Self::new(Route::Open(open), text)
    }

    /// By standard input and output.
    #[must_use]
    pub fn standard_io() -> Self {
        Self::new(Route::Open(open_standard_io()), "stdio:")
    }
}

fn adopt_listener(
    driver: &mut dyn Driver,
    socket: Descriptor,
) -> io::Result<(ListenerId, Address)> {
    capable(driver)?.adopt_listener(socket, StreamOptions::default(), false)
}

fn open_standard_io() -> Open<ConnId> {
    Open::new(|driver| capable(driver)?.standard_io())
}

/// What can be had once.
struct Once<T>(Cell<Option<T>>);

impl<T> Once<T> {
    fn new(thing: T) -> Self {
        Self(Cell::new(Some(thing)))
    }

    fn take(&self) -> io::Result<T> {
        let gone = "this descriptor was adopted already; it can be had once";
        let thing = self.0.take();
        thing.ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, gone))
    }
}

/// What the driver can do with descriptors.
pub(crate) fn capable(driver: &mut dyn Driver) -> io::Result<&mut dyn Descriptors> {
    let name = driver.name();
    driver.descriptors().ok_or_else(|| {
        let lacks = format!("the driver {name} serves no descriptors");
        io::Error::new(io::ErrorKind::Unsupported, lacks)
    })
}
