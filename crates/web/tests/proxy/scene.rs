//! A client, a proxy, and a server behind it, of which the test plays the first and the last byte by byte.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_testing::World;
use ropewalk_web::{Resource, ReverseProxy, Site};

/// One end of a connection, played by the test.
#[derive(Clone, Default)]
pub(crate) struct Peer(Rc<State>);

#[derive(Default)]
struct State {
    transport: RefCell<Option<Transport>>,
    heard: RefCell<Vec<u8>>,
    heard_bytes: Cell<usize>,
    has_ended: Cell<bool>,
    lost: RefCell<Option<String>>,
}

impl Protocol for Peer {
    fn connection_made(&mut self, transport: &Transport) {
        *self.0.transport.borrow_mut() = Some(transport.clone());
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.heard.borrow_mut().extend_from_slice(data);
        self.0
            .heard_bytes
            .set(self.0.heard_bytes.get() + data.len());
    }

    fn eof_received(&mut self, _: &Transport) {
        self.0.has_ended.set(true);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        *self.0.lost.borrow_mut() = Some(reason.to_string());
    }
}

impl Peer {
    pub(crate) fn transport(&self) -> Transport {
        self.0.transport.borrow().clone().expect("it is connected")
    }

    /// What came since the last time.
    pub(crate) fn take(&self) -> String {
        String::from_utf8(self.0.heard.take()).unwrap()
    }

    pub(crate) fn heard_bytes(&self) -> usize {
        self.0.heard_bytes.get()
    }

    /// Whether the other end sends no more, or is gone.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.has_ended.get() || self.is_lost()
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.0.lost.borrow().is_some()
    }

    /// Whether the other end broke the connection off, so that nothing before looks complete.
    pub(crate) fn is_reset(&self) -> bool {
        let lost = self.0.lost.borrow();
        lost.as_ref().is_some_and(|why| why.contains("reset"))
    }
}

type Accepted = Rc<RefCell<Vec<Peer>>>;

pub(crate) struct Scene {
    pub(crate) world: World,
    servers: Accepted,
}

const SERVER: &str = "http://10.0.0.1";

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(|proxy| proxy)
    }

    /// With a proxy that is changed, or stands below something.
    pub(crate) fn of<R: Resource>(change: impl FnOnce(ReverseProxy) -> R) -> Self {
        Self::with(SERVER, change, Site::new)
    }

    pub(crate) fn with<R: Resource>(
        url: &str,
        change: impl FnOnce(ReverseProxy) -> R,
        site: impl FnOnce(R) -> Site,
    ) -> Self {
        let mut world = World::new(1);
        let servers = Accepted::default();
        let accepted = Rc::clone(&servers);
        let accept = move || {
            let peer = Peer::default();
            accepted.borrow_mut().push(peer.clone());
            peer
        };
        let behind = world.reactor("server");
        behind.listen("tcp:10.0.0.1:80", accept).unwrap();
        let proxy = world.reactor("proxy");
        let resource = change(ReverseProxy::new(&proxy.handle(), url).unwrap());
        proxy.listen("tcp:10.0.0.2:80", site(resource)).unwrap();
        Self { world, servers }
    }

    /// One more client.
    pub(crate) fn client(&mut self) -> Peer {
        let peer = Peer::default();
        let reactor = self.world.reactor("client");
        drop(reactor.connect_protocol("tcp:10.0.0.2:80", peer.clone()));
        self.settle();
        peer
    }

    /// Lets as much time pass as the network needs.
    pub(crate) fn settle(&mut self) {
        self.run(1);
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        self.world.run_for(Duration::from_secs(seconds));
    }

    /// The server's ends of the connections that the proxy made.
    pub(crate) fn servers(&self) -> Vec<Peer> {
        self.servers.borrow().clone()
    }

    pub(crate) fn server(&self) -> Peer {
        self.servers().pop().expect("the proxy is connected")
    }

    pub(crate) fn say(&mut self, peer: &Peer, text: &str) {
        peer.transport().write(text);
        self.settle();
    }

    /// Sends a request; gives what comes out behind the proxy.
    pub(crate) fn ask(&mut self, client: &Peer, request: &str) -> String {
        self.say(client, request);
        match self.servers().last() {
            Some(server) => server.take(),
            None => String::new(),
        }
    }

    /// Answers a request; gives what the client hears.
    pub(crate) fn answer(&mut self, client: &Peer, response: &str) -> String {
        let server = self.server();
        self.say(&server, response);
        client.take()
    }

    /// What a client hears of this response to this request.
    pub(crate) fn exchange(&mut self, request: &str, response: &str) -> String {
        let client = self.client();
        self.ask(&client, request);
        self.answer(&client, response)
    }
}

pub(crate) fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

/// The fields of a message, in small letters.
pub(crate) fn names(message: &str) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().unwrap();
    let names = head
        .split("\r\n")
        .skip(1)
        .map(|line| line.split(':').next());
    names
        .map(|name| name.unwrap().to_ascii_lowercase())
        .collect()
}

/// The value of the field, of the first if there are more.
pub(crate) fn value<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let head = message.split("\r\n\r\n").next()?;
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
    fields.find_map(|(other, value)| other.eq_ignore_ascii_case(name).then_some(value))
}
