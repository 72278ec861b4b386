//! Clients that come back: the reconnecting factory (R48) and the client service (R116), against a server that comes and goes.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{
    BackOff, ClientService, ConnectError, Connector, Factory, Failure, Handle, Protocol, Reactor,
    ReconnectingFactory, Transport,
};
use ropewalk_sim::{SimDriver, World};

const SERVER: &str = "tcp:10.0.0.1:7";

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Ends each connection at once.
struct Rude;

impl Protocol for Rude {
    fn connection_made(&mut self, transport: &Transport) {
        transport.lose_connection();
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Notes when attempts begin, in seconds.
struct Noted(Rc<RefCell<Vec<f64>>>);

impl Factory for Noted {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Quiet))
    }
    fn started_connecting(&mut self, connector: &Connector) {
        let now = connector.reactor().now().as_secs_f64();
        self.0.borrow_mut().push(now);
    }
}

/// The driver of a world whose server has this address.
fn driver(seed: u64) -> SimDriver {
    let world = World::new(seed);
    world.host_at("server", [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))]);
    world.driver("server")
}

fn attempts(
    seed: u64,
    run_for: u64,
    change: impl FnOnce(&Reactor, ReconnectingFactory<Noted>),
) -> Vec<f64> {
    let times = Rc::new(RefCell::new(Vec::new()));
    let mut reactor = Reactor::new(driver(seed));
    change(&reactor, ReconnectingFactory::new(Noted(Rc::clone(&times))));
    reactor.call_later(Duration::from_secs(run_for), |reactor| reactor.stop());
    reactor.run().unwrap();
    times.take()
}

#[test]
fn r048_the_delays_between_attempts_grow_and_differ_by_seed() {
    let of = |seed| {
        attempts(seed, 100, |reactor, factory| {
            reactor.connect(SERVER, factory).map(drop).unwrap();
        })
    };
    let times = of(1);
    let delays: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(delays.len() >= 4, "{times:?}");
    for (failures, delay) in (0..).zip(&delays) {
        let middle = f64::exp(f64::from(failures));
        assert!((delay / middle - 1.0).abs() < 0.13, "{failures}: {delay}");
    }
    assert_ne!(times, of(2), "the jitter is drawn");
    assert_eq!(times, of(1), "from the world's seed");
}

#[test]
fn r048_it_gives_up_after_so_many_retries() {
    let times = attempts(1, 1000, |reactor, factory| {
        reactor
            .connect(SERVER, factory.with_max_retries(3))
            .map(drop)
            .unwrap();
    });
    assert_eq!(times.len(), 4, "the first and three more: {times:?}");
}

#[test]
fn r048_it_never_reconnects_after_stop_trying() {
    let times = attempts(1, 1000, |reactor, factory| {
        let trying = factory.trying();
        reactor.connect(SERVER, factory).unwrap();
        reactor.call_later(Duration::from_secs(2), move |_| trying.stop());
    });
    assert_eq!(times.len(), 2, "{times:?}");
}

#[test]
fn r048_a_lost_connection_is_made_again() {
    let times = Rc::new(RefCell::new(Vec::new()));
    let mut reactor = Reactor::new(driver(1));
    reactor.listen(SERVER, || Rude).unwrap();
    reactor
        .connect(SERVER, ReconnectingFactory::new(Noted(Rc::clone(&times))))
        .unwrap();
    reactor.call_later(Duration::from_secs(10), |reactor| reactor.stop());
    reactor.run().unwrap();
    // Each connection that was made starts the delays anew, at a second.
    let made = times.borrow().len();
    assert!((8..=12).contains(&made), "{made}");
}

fn run(main: impl AsyncFnOnce(Handle) -> Result<(), Failure> + 'static) {
    let mut reactor = Reactor::new(driver(1));
    let done = reactor.run_main(|handle| async move { main(handle).await });
    assert_eq!(done.map_err(|failure| format!("{failure:?}")), Ok(Some(())));
}

#[test]
fn r116_waiters_get_the_connection_once_the_server_is_there() {
    run(async |reactor| {
        let service = ClientService::new(&reactor, SERVER, || Quiet)?;
        service.start_service();
        let waiter = service.when_connected(None);
        sleep(&reactor, Duration::from_secs(5)).await?;
        let port = reactor.listen(SERVER, || Quiet).await?;
        let transport = waiter.await?;
        assert_eq!(transport.peer(), port.host());
        assert_eq!(
            service.when_connected(None).await?,
            transport,
            "there is one"
        );
        service.stop_service().await?;
        assert!(!transport.is_open(), "stopped means that it is really gone");
        Ok(())
    });
}

#[test]
fn r116_waiters_fail_after_as_many_failures_as_they_chose() {
    run(async |reactor| {
        let service = ClientService::new(&reactor, SERVER, || Quiet)?
            .with_back_off(BackOff::of_client_service());
        service.start_service();
        let failure = service
            .when_connected(Some(2))
            .await
            .expect_err("nobody listens");
        let refused = failure.downcast_ref::<std::sync::Arc<ConnectError>>();
        assert!(
            matches!(
                refused.map(|error| &**error),
                Some(ConnectError::Refused(_))
            ),
            "{failure}"
        );
        // The second attempt came after a second and up to one more by chance.
        assert!(
            (1..=2).contains(&reactor.now().as_secs()),
            "{:?}",
            reactor.now()
        );
        service.stop_service().await
    });
}

#[test]
fn r116_stopping_fails_those_who_wait() {
    run(async |reactor| {
        let service = ClientService::new(&reactor, SERVER, || Quiet)?;
        service.start_service();
        let waiter = service.when_connected(None);
        service.stop_service().await?;
        assert!(waiter.await.is_err());
        assert!(!service.is_started());
        Ok(())
    });
}
