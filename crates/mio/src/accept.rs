//! Accepting, and what to do when it fails: a server must neither end, nor spin, nor leave its peers hanging.
//!
//! | the kernel says | we |
//! | --- | --- |
//! | nobody waits | wait for the next edge |
//! | that one peer is gone already, or its network is (accept(2) hands on such errors) | go on with the next |
//! | no descriptor is left | close what lingers; else close the waiting peers by the reserve descriptor, and rest |
//! | no memory, or anything unheard of | rest |
//!
//! A rest is 100 ms at first, then 200, then 400: full, a server costs nearly nothing, and it is back in less than a
//! second.

use std::fs::File;
use std::io;
use std::time::Duration;

use mio::Registry;
use ropewalk_core::address::Address;
use ropewalk_core::driver::{Event, Listen, ListenerId};
use ropewalk_core::slots::{Key, Slots};

use crate::listener::Listener;
use crate::socket::Socket;
use crate::sockets::{Sockets, Turn};

/// How many connections one listener may bring before the established ones have their turn.
const ACCEPTS_PER_TURN: usize = 128;

/// How many waiting peers are closed before a rest. At some 10 µs each this is 1 % of a core.
const SHED_PER_REST: u64 = 128;

/// What an error of `accept` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    NobodyWaits,
    ThatPeerIsGone,
    NoDescriptor,
    /// No memory, or a broken listener: more than we can mend.
    Rest,
}

impl Trouble {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            // The same number as EWOULDBLOCK wherever mio runs.
            Some(libc::EAGAIN) => Self::NobodyWaits,
            Some(libc::EMFILE | libc::ENFILE) => Self::NoDescriptor,
            Some(
                libc::EINTR
                | libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EPROTO
                | libc::EPERM
                | libc::EACCES
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ETIMEDOUT,
            ) => Self::ThatPeerIsGone,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some(libc::ENONET) => Self::ThatPeerIsGone,
            // ENOBUFS, ENOMEM, EBADF, EINVAL …
            _ => Self::Rest,
        }
    }
}

/// All listeners of a driver.
#[derive(Default)]
pub(crate) struct Listeners {
    listeners: Slots<Listener>,
    /// Those that have more waiting, or rest until a time.
    list: Vec<Key>,
    reserve: Reserve,
}

impl Listeners {
    pub(crate) fn listen(
        &mut self,
        listen: &Listen,
        registry: &Registry,
    ) -> io::Result<(ListenerId, Address)> {
        self.add(Listener::open(listen)?, registry)
    }

    pub(crate) fn add(
        &mut self,
        listener: Listener,
        registry: &Registry,
    ) -> io::Result<(ListenerId, Address)> {
        let address = listener.address().clone();
        let key = self.listeners.insert(listener);
        if let Some(Err(error)) = self
            .listeners
            .get_mut(key)
            .map(|it| it.register(key, registry))
        {
            self.listeners.remove(key);
            return Err(error);
        }
        self.reserve.take_back();
        Ok((ListenerId(key), address))
    }

    /// Closes the socket: this frees the address and resets who waits.
    pub(crate) fn stop(&mut self, listener: ListenerId, registry: &Registry) {
        if let Some(mut gone) = self.listeners.remove(listener.0) {
            gone.deregister(registry);
        }
        self.list.retain(|&key| key != listener.0);
    }

    /// When a listener must be served without an edge: at once, or when its rest is over.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let listed = self.list.iter().filter_map(|&key| self.listeners.get(key));
        listed
            .map(|listener| listener.rests_until.unwrap_or_default())
            .min()
    }

    /// Serves those that are listed and do not rest, once each.
    pub(crate) fn serve_list(&mut self, sockets: &mut Sockets, turn: &mut Turn<'_>) {
        let listed = self.list.len();
        if listed == 0 {
            return;
        }
        let now = turn.now();
        for position in 0..listed {
            let key = self.list[position];
            let Some(listener) = self.listeners.get_mut(key) else {
                continue;
            };
            match listener.rests_until {
                Some(until) if until > now => self.list.push(key),
                _ => {
                    listener.rests_until = None;
                    listener.ready = false;
                    self.reserve.take_back();
                    self.serve(key, sockets, turn);
                }
            }
        }
        self.list.drain(..listed);
    }

    /// An edge: somebody waits.
    pub(crate) fn serve(&mut self, key: Key, sockets: &mut Sockets, turn: &mut Turn<'_>) {
        let Self {
            listeners,
            list,
            reserve,
        } = self;
        let Some(listener) = listeners.get_mut(key) else {
            return;
        };
        if listener.rests_until.is_some() || listener.ready {
            return; // It is listed.
        }
        listener.ready = true;
        accept_some(ListenerId(key), listener, reserve, sockets, turn);
        if listener.ready {
            list.push(key);
        }
    }

    #[cfg(test)]
    pub(crate) fn get_mut(&mut self, listener: ListenerId) -> &mut Listener {
        self.listeners.get_mut(listener.0).expect("a listener")
    }
}

fn accept_some(
    id: ListenerId,
    listener: &mut Listener,
    reserve: &mut Reserve,
    sockets: &mut Sockets,
    turn: &mut Turn<'_>,
) {
    for _ in 0..ACCEPTS_PER_TURN {
        let error = match listener.accept() {
            Ok((socket, peer)) => {
                listener.is_well();
                match bring(id, listener, (socket, peer), sockets, turn) {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        match Trouble::of(&error) {
            Trouble::ThatPeerIsGone => {}
            Trouble::NobodyWaits => {
                listener.ready = false;
                return;
            }
            Trouble::NoDescriptor if sockets.end_oldest_linger() => {}
            Trouble::NoDescriptor => {
                let shed = reserve.shed(listener);
                return rest(listener, turn.now(), &error, shed);
            }
            Trouble::Rest => return rest(listener, turn.now(), &error, 0),
        }
    }
}

/// Tells the handler of a connection, or hands it over.
fn bring(
    listener: ListenerId,
    of: &Listener,
    (socket, peer): (Socket, Address),
    sockets: &mut Sockets,
    turn: &mut Turn<'_>,
) -> io::Result<()> {
    let host = of.host_of(&socket);
    if of.hands_over {
        if let Some(descriptor) = socket.into_descriptor() {
            turn.handler.event(Event::Handed {
                listener,
                descriptor,
                host,
                peer,
            });
        }
        return Ok(());
    }
    let credentials = socket.credentials();
    sockets.admit(socket, turn, |conn| Event::Accepted {
        listener,
        conn,
        host,
        peer,
        credentials,
    })
}

fn rest(listener: &mut Listener, now: Duration, error: &io::Error, shed: u64) {
    listener.rest(now);
    if let Some(closed) = listener.complain(now, shed) {
        let address = listener.address();
        tracing::warn!(%address, %error, "cannot accept; closed {closed} waiting peers, trying again soon");
    }
}

/// A descriptor kept for the day when there is no other.
///
/// Without it a full server could not even refuse: the waiting peers would hang, and with a level-triggered kernel
/// interface the loop would spin (libuv #690, wai #928).
#[derive(Default)]
struct Reserve(Option<File>);

impl Reserve {
    fn take_back(&mut self) {
        if self.0.is_none() {
            self.0 = File::open("/dev/null").ok();
        }
    }

    /// Closes waiting peers, so that they hear at once; how many.
    ///
    /// Another thread may take the descriptor meanwhile: then there is nothing to do but rest.
    fn shed(&mut self, listener: &mut Listener) -> u64 {
        let mut shed = 0;
        if self.0.take().is_some() {
            while shed < SHED_PER_REST && listener.accept().is_ok() {
                shed += 1;
            }
            self.take_back();
        }
        shed
    }
}

#[cfg(test)]
mod tests;
