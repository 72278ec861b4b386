//! What a subcommand sets up: its services, and what is said once they serve.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use ropewalk::endpoint::{Destination, EndpointError, ServerEndpoint};
use ropewalk::protocols::{LimitConnectionsByPeer, LimitTotalConnectionsFactory, TimeoutFactory};
use ropewalk::service::{MultiService, Service, StreamServer};
use ropewalk::{
    Address, Factory, Failure, Handle, Limits, ListeningPort, Protocol, SharedFactory, Transport,
};

use crate::last_port::Occupation;

/// What a subcommand works with before anything runs. It opens nothing: it adds services, which are started in order with
/// the reactor and stopped in reverse. So a file can be checked without being run.
pub struct Setup {
    handle: Handle,
    services: MultiService,
    manner: Manner,
    words: Rc<Words>,
    longest_stop: Duration,
    /// What is said of each port that is opened from here on.
    of_port: Option<OfPort>,
    /// Nothing will be run: what is read when it starts, such as certificates, is read now.
    is_check: bool,
    keeps_root: bool,
}

/// What an application file may say of a service beyond its own options.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Manner {
    pub(crate) high_water_bytes: Option<usize>,
    pub(crate) outgoing_bytes: Option<usize>,
    /// `Some(None)` is no limit.
    pub(crate) write_stall: Option<Option<Duration>>,
    pub(crate) handshake: Option<Option<Duration>>,
    pub(crate) connections: Option<usize>,
    pub(crate) connections_by_peer: Option<usize>,
    pub(crate) idle: Option<Duration>,
}

/// What is said once everything serves.
#[derive(Default)]
pub(crate) struct Words {
    ports: RefCell<Vec<ListeningPort>>,
    lines: RefCell<Vec<String>>,
    hints: RefCell<Vec<Hint>>,
    /// Of all services together.
    occupation: Rc<Occupation>,
    /// Of what was run, and failed.
    failure: RefCell<Option<Failure>>,
}

type OfPort = fn(&ListeningPort) -> Option<String>;
type Hint = Box<dyn FnOnce(&[ListeningPort]) -> Option<String>>;

impl Setup {
    /// A setup on a reactor; the command makes its own.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Handle>) -> Self {
        Self::in_manner(reactor, Manner::default(), Rc::default())
    }

    pub(crate) fn in_manner(
        reactor: &impl AsRef<Handle>,
        manner: Manner,
        words: Rc<Words>,
    ) -> Self {
        Self {
            handle: reactor.as_ref().clone(),
            services: MultiService::new(),
            manner,
            words,
            longest_stop: Duration::ZERO,
            of_port: None,
            is_check: false,
            keeps_root: false,
        }
    }

    /// For a check of what is never run.
    pub(crate) const fn checking(mut self, is_check: bool) -> Self {
        self.is_check = is_check;
        self
    }

    /// Where paths mean now what they will mean when services start.
    pub(crate) const fn in_root(mut self, keeps_root: bool) -> Self {
        self.keeps_root = keeps_root;
        self
    }

    /// Whether files that are opened when a service starts can be looked at now, so that what is wrong with them is told at once.
    pub(crate) const fn sees_files(&self) -> bool {
        self.is_check || self.keeps_root
    }

    /// Reads the files of an endpoint to connect to, where nothing will.
    pub(crate) fn check(&self, destination: &Destination) -> Result<(), EndpointError> {
        if self.is_check {
            destination.wrap(&self.handle, Box::new(Nobody))?;
        }
        Ok(())
    }

    /// The reactor that will run.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.handle
    }

    /// The services so far: what a test starts.
    #[must_use]
    pub fn services(&self) -> &MultiService {
        &self.services
    }

    /// Whether the options are only looked at, so that nothing may be made.
    pub(crate) const fn is_check(&self) -> bool {
        self.is_check
    }

    /// Adds a service, the last to be started. What needs the privileges that the process was started with belongs into its
    /// [`Service::privileged_start`].
    ///
    /// # Errors
    ///
    /// The name is taken.
    pub fn add(&mut self, name: impl Into<String>, service: impl Service) -> Result<(), Failure> {
        self.words.occupation.add_other();
        self.insert(name.into(), service)
    }

    fn insert(&mut self, name: String, service: impl Service) -> Result<(), Failure> {
        if self.services.has(&name) {
            return Err(Failure::message(format!(
                "there is a service {name:?} already"
            )));
        }
        let own = service.grace().map_or(Duration::ZERO, |grace| grace.hard);
        self.longest_stop = self.longest_stop.max(own);
        self.services = self.services.clone().with(name, service);
        Ok(())
    }

    /// The hard deadline of the service that asks for the latest one, so that the stop of all waits for it.
    pub(crate) fn longest_stop(&self) -> Duration {
        self.longest_stop
    }

    /// Serves one factory at endpoints, each of which is printed as `listening on …` with the real port, once all serve.
    ///
    /// Where nothing else is served, the program ends with the last connection of endpoints that have only one, such as
    /// `stdio:`.
    ///
    /// # Errors
    ///
    /// An endpoint cannot be understood. One that cannot be had is told when it is started.
    pub fn listen<E: ServerEndpoint + 'static>(
        &mut self,
        endpoints: impl IntoIterator<Item = E>,
        factory: impl Factory,
    ) -> Result<(), Failure> {
        self.listen_with(endpoints, Limits::default(), factory)
    }

    /// [`listen`](Self::listen) with other limits for each connection.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn listen_with<E: ServerEndpoint + 'static>(
        &mut self,
        endpoints: impl IntoIterator<Item = E>,
        limits: Limits,
        factory: impl Factory,
    ) -> Result<(), Failure> {
        let limits = self.manner.limits(limits);
        let factory = SharedFactory::new(self.manner.around(Box::new(factory)));
        for endpoint in endpoints {
            let listening = endpoint.listening()?;
            if self.is_check {
                listening.wrap(&self.handle, Box::new(Nobody))?;
            }
            let (words, of_port) = (Rc::clone(&self.words), self.of_port);
            let occupation = &self.words.occupation;
            let factory = occupation.add_port(&self.handle, factory.clone());
            let server = StreamServer::with_limits(endpoint, limits.clone(), factory)
                .privileged()
                .on_listening(move |port| words.opened(port, of_port));
            let name = format!("port {}", self.services.names().len() + 1);
            self.insert(name, server)?;
        }
        Ok(())
    }

    /// Runs this once everything serves, and ends the program with it: with its failure, or with success. A graceful stop waits for
    /// it, until it is cancelled at the soft deadline.
    ///
    /// # Errors
    ///
    /// Something is run already.
    pub fn run<F>(&mut self, main: impl FnOnce(Handle) -> F + 'static) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let (words, mut main) = (Rc::clone(&self.words), Some(main));
        self.add("main", move |handle: &Handle| {
            let Some(main) = main.take() else { return };
            let done = handle.work(handle.spawn(main(handle.clone())));
            let (words, handle) = (Rc::clone(&words), handle.clone());
            done.on_result(move |result| {
                if let Err(failure) = result {
                    words.failure.replace(Some(failure));
                }
                handle.call_when_running(|handle| {
                    let _stops_already = handle.stop();
                });
            });
        })
    }

    /// Prints a line on stdout once it serves: for programs.
    pub fn say(&mut self, line: impl fmt::Display) {
        self.words.lines.borrow_mut().push(line.to_string());
    }

    /// Prints a line on stdout for each port that [`listen`](Self::listen) opens from here on, once it serves: the URL, for example.
    pub fn say_of_ports(&mut self, line: fn(&ListeningPort) -> Option<String>) {
        self.of_port = Some(line);
    }

    /// Prints a line on stderr once it serves, made of the ports that are open then: for people.
    pub fn hint(&mut self, hint: impl FnOnce(&[ListeningPort]) -> Option<String> + 'static) {
        self.words.hints.borrow_mut().push(Box::new(hint));
    }
}

/// A factory for nobody.
struct Nobody;

impl Factory for Nobody {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        None
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setup({:?})", self.services.names())
    }
}

impl Manner {
    fn limits(&self, limits: Limits) -> Limits {
        Limits {
            high_water_bytes: self.high_water_bytes.unwrap_or(limits.high_water_bytes),
            outgoing_bytes: self.outgoing_bytes.unwrap_or(limits.outgoing_bytes),
            write_stall: self.write_stall.unwrap_or(limits.write_stall),
            handshake: self.handshake.unwrap_or(limits.handshake),
            ..limits
        }
    }

    fn around(&self, mut factory: Box<dyn Factory>) -> Box<dyn Factory> {
        if let Some(period) = self.idle {
            factory = Box::new(TimeoutFactory::new(factory).with_period(period));
        }
        if let Some(limit) = self.connections_by_peer {
            factory = Box::new(LimitConnectionsByPeer::new(factory).with_limit(limit));
        }
        if let Some(limit) = self.connections {
            factory = Box::new(LimitTotalConnectionsFactory::new(limit, factory));
        }
        factory
    }
}

impl Words {
    fn opened(&self, port: &ListeningPort, of_port: Option<OfPort>) {
        self.ports.borrow_mut().push(port.clone());
        let line = of_port.and_then(|of_port| of_port(port));
        self.lines.borrow_mut().extend(line);
    }

    /// Why the program ends, if what it ran failed.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure.take()
    }

    /// Says everything; hints only where people read stderr.
    ///
    /// # Errors
    ///
    /// Nobody reads stdout any more.
    pub(crate) fn say(&self, has_hints: bool) -> Result<(), Failure> {
        let ports = self.ports.take();
        let is_stdio = |port: &ListeningPort| matches!(port.host(), Address::Stdio);
        let listening = ports
            .iter()
            .map(|port| format!("listening on {}", port.endpoint()));
        let lines: Vec<String> = listening.chain(self.lines.take()).collect();
        // Where stdout is a connection, words there would be its bytes.
        if ports.iter().any(is_stdio) {
            lines.iter().for_each(hint);
        } else {
            lines.iter().try_for_each(ropewalk::say)?;
        }
        for make in self.hints.take().into_iter().filter(|_| has_hints) {
            make(&ports).iter().for_each(hint);
        }
        Ok(())
    }
}

/// If nobody sees stderr, nobody needs the hint.
fn hint(line: &String) {
    let _ = writeln!(io::stderr(), "{line}");
}
