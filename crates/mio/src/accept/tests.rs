//! Every error number given to `accept`, and the log that follows.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{ConnId, Demand, Driver, Handler, Sent};
use tracing::span;

use super::*;
use crate::MioDriver;

/// Every error number that Linux has, and some that it has not.
const ALL: std::ops::Range<i32> = 1..140;

/// Counts what each listener brought.
#[derive(Default)]
struct Count(HashMap<ListenerId, usize>);

impl Count {
    fn of(&self, listener: ListenerId) -> usize {
        self.0.get(&listener).copied().unwrap_or(0)
    }
}

impl Handler for Count {
    fn event(&mut self, event: Event<'_>) -> Demand {
        if let Event::Accepted { listener, .. } = event {
            *self.0.entry(listener).or_default() += 1;
        }
        Demand::Continue
    }

    fn flush(&mut self, _: ConnId, _: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent) -> Demand {
        Demand::Continue
    }
}

/// A listener whose next `accept` calls fail.
fn listen(
    driver: &mut MioDriver,
    errors: impl IntoIterator<Item = i32>,
) -> (ListenerId, SocketAddr) {
    let (listener, address) = driver
        .listen(&Listen {
            backlog: 16,
            ..Listen::new(Address::Tcp("127.0.0.1:0".parse().unwrap()))
        })
        .unwrap();
    driver
        .listeners_mut()
        .get_mut(listener)
        .injected
        .extend(errors);
    (listener, address.socket().unwrap())
}

fn trouble(errno: i32) -> Trouble {
    Trouble::of(&io::Error::from_raw_os_error(errno))
}

#[test]
fn h1_27_errors_of_one_peer_do_not_delay_the_next() {
    let of_one_peer: Vec<i32> = ALL
        .filter(|&errno| trouble(errno) == Trouble::ThatPeerIsGone)
        .collect();
    assert!(of_one_peer.contains(&libc::ECONNABORTED));
    let (mut driver, mut count) = (MioDriver::new().unwrap(), Count::default());
    let (listener, address) = listen(&mut driver, of_one_peer);
    let _peer = TcpStream::connect(address).unwrap();
    driver.poll(None, &mut count).unwrap();
    assert_eq!(count.of(listener), 1, "in the same turn");
}

#[test]
fn h1_27_no_error_ends_the_listener() {
    let (mut driver, mut count) = (MioDriver::new().unwrap(), Count::default());
    let mut peers = Vec::new();
    let mut connect = |address| peers.push(TcpStream::connect(address).unwrap());
    let cases: Vec<_> = ALL
        .map(|errno| (errno, listen(&mut driver, [errno])))
        .collect();
    cases.iter().for_each(|&(_, (_, address))| connect(address));
    driver.poll(None, &mut count).unwrap();
    let mut awaited = HashMap::new();
    for (errno, (listener, address)) in cases {
        let at_once = usize::from(trouble(errno) == Trouble::ThatPeerIsGone);
        assert_eq!(count.of(listener), at_once, "errno {errno}");
        let in_the_end = match trouble(errno) {
            Trouble::ThatPeerIsGone | Trouble::Rest => 1,
            // Nobody was there: that was a lie, and the next edge brings two.
            Trouble::NobodyWaits => {
                connect(address);
                2
            }
            // The first was closed by the reserve descriptor.
            Trouble::NoDescriptor => {
                connect(address);
                1
            }
        };
        awaited.insert(listener, in_the_end);
    }
    let limit = Instant::now() + Duration::from_secs(20);
    while count.0 != awaited {
        assert!(Instant::now() < limit, "{:?} of {awaited:?}", count.0);
        driver
            .poll(Some(Duration::from_secs(1)), &mut count)
            .unwrap();
    }
}

#[test]
fn rests_grow_and_stay_below_half_a_second() {
    let (mut driver, mut count) = (MioDriver::new().unwrap(), Count::default());
    let (listener, address) = listen(&mut driver, [libc::ENOMEM; 5]);
    let _peer = TcpStream::connect(address).unwrap();
    let clock = driver.clock();
    let start = clock();
    while count.of(listener) == 0 {
        driver.poll(None, &mut count).unwrap();
    }
    let rested = clock() - start;
    assert!(
        rested >= Duration::from_millis(100 + 200 + 400 + 400 + 400),
        "{rested:?}"
    );
    assert!(
        rested < Duration::from_millis(100 + 200 + 400 + 800 + 1600),
        "{rested:?}"
    );
}

/// Counts lines of log.
struct Lines(Arc<Mutex<usize>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        *self.0.lock().unwrap() += 1;
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn trouble_is_one_line_of_log_and_not_a_flood() {
    let lines = Arc::new(Mutex::new(0));
    tracing::subscriber::with_default(Lines(Arc::clone(&lines)), || {
        let (mut driver, mut count) = (MioDriver::new().unwrap(), Count::default());
        let (_, address) = listen(&mut driver, [libc::EMFILE; 4]);
        let _peer = TcpStream::connect(address).unwrap();
        for _ in 0..3 {
            driver.poll(None, &mut count).unwrap();
        }
    });
    assert_eq!(*lines.lock().unwrap(), 1);
}

#[test]
fn a_line_of_log_tells_what_was_not_logged_before() {
    let mut driver = MioDriver::new().unwrap();
    let (listener, _) = listen(&mut driver, []);
    let listener = driver.listeners_mut().get_mut(listener);
    let at = Duration::from_millis;
    assert_eq!(listener.complain(at(10), 1), Some(1));
    assert_eq!(listener.complain(at(20), 2), None);
    assert_eq!(listener.complain(at(5009), 3), None);
    assert_eq!(listener.complain(at(5010), 4), Some(9));
}
