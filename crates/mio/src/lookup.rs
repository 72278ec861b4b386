//! Name look-ups: getaddrinfo in the thread pool.
//!
//! The system's own resolver obeys `/etc/hosts`, `nsswitch.conf` and everything else that the machine is set up with. It
//! cannot be interrupted: giving up drops the answer, and a look-up that has not begun never begins.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use ropewalk_core::driver::{Event, Handler, LookupId, Wake};
use ropewalk_core::slots::{Key, Slots};

use crate::thread_pool::{ThreadPool, Work};

/// No host name is longer (RFC 1035 §2.3.4). A longer one is refused, never cut: what is left might be another's name.
const LONGEST_NAME: usize = 255;

type Addresses = io::Result<Vec<IpAddr>>;

pub(crate) struct Lookups {
    /// Those under way, each with the sign that it was given up.
    pending: Slots<Arc<AtomicBool>>,
    count: usize,
    answers: mpsc::Receiver<(Key, Addresses)>,
    /// Where answers go; cloned for each look-up.
    sender: mpsc::Sender<(Key, Addresses)>,
    waker: Arc<dyn Wake>,
}

impl Lookups {
    pub(crate) fn new(waker: Arc<dyn Wake>) -> Self {
        let (sender, answers) = mpsc::channel();
        Self {
            pending: Slots::new(),
            count: 0,
            answers,
            sender,
            waker,
        }
    }

    pub(crate) fn start(&mut self, name: &str, pool: &mut ThreadPool) -> LookupId {
        let given_up = Arc::new(AtomicBool::new(false));
        let key = self.pending.insert(Arc::clone(&given_up));
        self.count += 1;
        let answer = Answer {
            key,
            sender: self.sender.clone(),
            waker: Arc::clone(&self.waker),
            given: false,
        };
        match check(name) {
            Err(error) => answer.give(Err(error)),
            Ok(()) => {
                let name = name.to_owned();
                pool.run(Work::Lookup(Box::new(move || {
                    if !given_up.load(Ordering::Relaxed) {
                        answer.give(resolve(&name));
                    }
                })));
            }
        }
        LookupId(key)
    }

    pub(crate) fn cancel(&mut self, lookup: LookupId) {
        if let Some(given_up) = self.pending.remove(lookup.0) {
            self.count -= 1;
            given_up.store(true, Ordering::Relaxed);
        }
    }

    /// Reports the answers that came.
    #[inline]
    pub(crate) fn report(&mut self, handler: &mut dyn Handler) {
        while self.count > 0
            && let Ok((key, result)) = self.answers.try_recv()
        {
            if self.pending.remove(key).is_some() {
                self.count -= 1;
                handler.event(Event::LookedUp {
                    lookup: LookupId(key),
                    result,
                });
            }
        }
    }
}

/// A promise to answer: dropped with nothing said (the pool stopped, the look-up panicked), it answers with an error.
struct Answer {
    key: Key,
    sender: mpsc::Sender<(Key, Addresses)>,
    waker: Arc<dyn Wake>,
    given: bool,
}

impl Answer {
    fn give(mut self, addresses: Addresses) {
        self.send(addresses);
    }

    fn send(&mut self, addresses: Addresses) {
        self.given = true;
        // Nobody listens any more after the driver was dropped.
        if self.sender.send((self.key, addresses)).is_ok() {
            self.waker.wake();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.given {
            self.send(Err(io::Error::other("the look-up was given up")));
        }
    }
}

fn check(name: &str) -> io::Result<()> {
    let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    match name {
        "" => refuse("an empty host name"),
        name if name.len() > LONGEST_NAME => refuse("a host name of more than 255 bytes"),
        name if name.contains('\0') => refuse("a host name with a NUL in it"),
        _ => Ok(()),
    }
}

/// In the order of the resolver, which has sorted by preference (RFC 6724), each address once.
fn resolve(name: &str) -> Addresses {
    let mut addresses = Vec::new();
    for socket in (name, 0).to_socket_addrs()? {
        if !addresses.contains(&socket.ip()) {
            addresses.push(socket.ip());
        }
    }
    Ok(addresses)
}
