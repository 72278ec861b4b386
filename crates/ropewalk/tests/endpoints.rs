//! What endpoint strings come to, in simulated worlds: which protocol is given, who is told, and what is put around.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk::address::Address;
use ropewalk::driver::{Connect, StreamOptions};
use ropewalk::endpoint::{
    ClientEndpoint, Description, Destination, Listening, Open, ServerEndpoint, Source,
};
use ropewalk::testing::World;
use ropewalk::timer::sleep;
use ropewalk::{ConnectError, Factory, Handle, ListenError, Protocol, Reactor, Transport};

/// Says who it talks to, and writes down what it is told.
#[derive(Clone, Default)]
struct Witness(Rc<RefCell<Vec<String>>>);

impl Witness {
    fn told(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl Protocol for Witness {
    fn connection_made(&mut self, transport: &Transport) {
        self.0
            .borrow_mut()
            .push(format!("made {}", transport.peer().kind()));
        transport.write("hello");
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let text = String::from_utf8_lossy(data);
        self.0
            .borrow_mut()
            .push(format!("{text} from {}", transport.peer()));
        transport.lose_connection();
    }
    fn connection_lost(&mut self, _: &Transport, reason: &ropewalk::Reason) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

/// Counts starts and stops.
#[derive(Clone, Default)]
struct Counted {
    witness: Witness,
    used: Rc<Cell<i32>>,
}

impl Factory for Counted {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self.witness.clone()))
    }
    fn start_factory(&mut self) {
        self.used.set(self.used.get() + 1);
    }
    fn stop_factory(&mut self) {
        self.used.set(self.used.get() - 1);
    }
}

#[ropewalk::test(seeds = 10)]
async fn r108_the_protocol_is_given_once_it_was_told_of_the_connection(reactor: Handle) {
    let port = reactor
        .listen("tcp:127.0.0.1:7", Witness::default)
        .await
        .unwrap();
    let client = Witness::default();
    let transport = reactor
        .connect_protocol("tcp:127.0.0.1:7:timeout=5", client.clone())
        .await
        .unwrap();
    assert_eq!(client.told()[0], "made tcp");
    transport.abort_connection();
    port.stop_listening().await.unwrap();
}

#[ropewalk::test]
async fn r108_or_the_error_is(reactor: Handle) {
    let client = Witness::default();
    let connecting = reactor.connect_protocol("host:localhost:7", client.clone());
    let failure = connecting.await.unwrap_err();
    assert!(failure.is::<ConnectError>(), "{failure}");
    assert!(client.told().is_empty());
}

#[ropewalk::test(seeds = 10)]
fn r109_a_cancelled_connect_stops_and_names_the_address(world: &mut World) {
    world.reactor("server");
    let client = world.reactor("client").handle();
    world.partition("client", "server");
    let server = world.addresses("server")[0];
    let connecting = client.connect_protocol(format!("tcp:{server}:7"), Witness::default());
    world.run_for(Duration::from_secs(1));
    let failure = world.wait_for(connecting.cancel()).unwrap_err();
    let error = failure.downcast_ref::<ConnectError>().unwrap();
    assert!(matches!(error, ConnectError::Cancelled(_)), "{error}");
    assert_eq!(error.address(), format!("tcp:{server}:7"));
    world.heal("client", "server");
}

#[ropewalk::test(seeds = 10)]
fn r115_a_string_puts_the_header_below_everything_else(world: &mut World) {
    let server = Witness::default();
    let made = server.clone();
    let endpoint = "proxy:from=10.0.0.2,unix:tcp:10.0.0.1:80:backlog=9";
    let port = world
        .reactor("server")
        .listen(endpoint, move || made.clone())
        .unwrap();
    assert_eq!(port.endpoint(), "proxy:tcp:10.0.0.1:80");
    let proxy = world.reactor("proxy").handle();
    let stranger = world.reactor("stranger").handle();
    for client in [stranger, proxy] {
        let header = "PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\nhi";
        let connecting = client.connect_protocol("tcp:10.0.0.1:80", Says(header));
        let transport = world.wait_for(connecting).unwrap();
        world.wait_until(|| !transport.is_open());
    }
    world.wait_for(port.stop_listening()).unwrap();
    assert_eq!(server.told()[..2], ["made tcp", "hi from tcp:192.0.2.1:5"]);
    assert_eq!(
        server.told().len(),
        3,
        "one connection: {:?}",
        server.told()
    );
}

/// Says one thing.
struct Says(&'static str);

impl Protocol for Says {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.0);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A port for one connection: here it is made by connecting, where others start a child or take a descriptor.
fn once(address: &str) -> Listening {
    let address = Address::Tcp(address.parse().unwrap());
    let open = Open::new(move |driver| {
        let connect = Connect {
            address: address.clone(),
            bind: None,
            options: StreamOptions::default(),
        };
        Ok((driver.connect(&connect), Address::Pipe))
    });
    Listening::new(Source::Once(open), "once:")
}

#[ropewalk::test(seeds = 10)]
async fn a_port_for_one_connection_ends_with_it(reactor: Handle) {
    let port = reactor
        .listen("tcp:127.0.0.1:7", Witness::default)
        .await
        .unwrap();
    let factory = Counted::default();
    let once = reactor
        .listen(once("127.0.0.1:7"), factory.clone())
        .await
        .unwrap();
    assert!(once.is_listening());
    assert_eq!(factory.used.get(), 1);
    assert_eq!(once.endpoint(), "pipe:");
    while once.is_listening() {
        sleep(&reactor, Duration::from_millis(10)).await.unwrap();
    }
    assert_eq!(factory.used.get(), 0);
    let told = factory.witness.told();
    assert_eq!(told[..2], ["made tcp", "hello from tcp:127.0.0.1:7"]);
    once.stop_listening().await.unwrap();
    assert_eq!(factory.used.get(), 0, "it is stopped once");
    port.stop_listening().await.unwrap();
}

#[ropewalk::test(seeds = 10)]
async fn one_that_never_comes_ends_the_port(reactor: Handle) {
    let factory = Counted::default();
    let once = reactor
        .listen(once("127.0.0.1:7"), factory.clone())
        .await
        .unwrap();
    while once.is_listening() {
        sleep(&reactor, Duration::from_millis(10)).await.unwrap();
    }
    assert_eq!(factory.used.get(), 0);
    assert!(factory.witness.told().is_empty());
    let errors = ropewalk::testing::take_errors();
    assert!(
        errors[0].contains("the one connection of a port never came"),
        "{errors:?}"
    );
}

#[ropewalk::test(seeds = 10)]
fn one_that_is_not_waited_for_any_more_never_comes(world: &mut World) {
    world.reactor("server");
    world.reactor("client");
    world.partition("client", "server");
    let server = world.addresses("server")[0];
    let factory = Counted::default();
    let client = world.reactor("client");
    let once = client
        .listen(once(&format!("{server}:7")), factory.clone())
        .unwrap();
    world.wait_for(once.stop_listening()).unwrap();
    assert!(!once.is_listening());
    assert_eq!(factory.used.get(), 0);
    world.heal("client", "server");
}

#[ropewalk::test]
fn a_reactor_that_stops_ends_a_port_that_waits(world: &mut World) {
    world.reactor("server");
    world.reactor("client");
    world.partition("client", "server");
    let server = world.addresses("server")[0];
    let factory = Counted::default();
    let client: &mut Reactor = world.reactor("client");
    client
        .listen(once(&format!("{server}:7")), factory.clone())
        .unwrap();
    client.call_soon(|reactor| reactor.stop().unwrap());
    world.settle();
    assert_eq!(factory.used.get(), 0);
    world.heal("client", "server");
}

fn unusable(description: &Description) -> ropewalk::endpoint::EndpointError {
    let mut description = description.clone();
    let _: String = description.required("cert").unwrap();
    description.unusable("cert", "no such file")
}

#[ropewalk::test]
async fn what_cannot_be_put_around_is_told_and_nothing_is_opened(reactor: Handle) {
    let description = Description::parse("tls:80:cert=/none.pem").unwrap();
    let cannot = "bad endpoint \"tls:80:cert=/none.pem\", byte 12: \"/none.pem\": no such file";
    let around = description.clone();
    let listening = "tcp:127.0.0.1:7".listening().unwrap();
    let listening = listening.wrapped(move |_, _| Err(unusable(&around)));
    let factory = Counted::default();
    let failure = reactor
        .listen(listening, factory.clone())
        .await
        .unwrap_err();
    assert!(matches!(
        failure.downcast_ref(),
        Some(ListenError::Endpoint(_))
    ));
    assert_eq!(failure.to_string(), cannot);
    assert_eq!(factory.used.get(), 0);

    let destination: Destination = "tcp:127.0.0.1:7".destination().unwrap();
    let destination = destination.wrapped(move |_, _| Err(unusable(&description)));
    let connecting = reactor.connect_protocol(&destination, Witness::default());
    assert_eq!(connecting.await.unwrap_err().to_string(), cannot);
    let error = reactor.connect(&destination, Witness::default).unwrap_err();
    assert_eq!(error.to_string(), cannot);
}
