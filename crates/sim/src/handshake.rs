//! How a connection comes about: knock, answer, accept.
//!
//! ```text
//!   client                              server
//!   connect ─── knock ─────────────────► in the backlog ──► Accepted
//!   Connected ◄──────── answer ───────── or refused
//! ```
//!
//! A knock or an answer that finds its link cut waits for it, as a SYN is repeated; who gives up sooner is the
//! reactor's business. What will befall the connection by the plan of faults is drawn when it is made.

use std::io;

use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::driver::{ConnId, Connect, Listen, ListenerId};
use ropewalk_core::slots::Key;

use crate::descriptor::SimDescriptor;
use crate::fate::Fate;
use crate::host::Ready;
use crate::link::Link;
use crate::network::Network;
use crate::pipe::Pipe;
use crate::route::Route;
use crate::schedule::Happening;
use crate::wire::{CLIENT, End, Life, SERVER, Trouble, Wire, other};

/// An accepted connection, to be told.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) at: At,
    pub(crate) host: Address,
    pub(crate) peer: Address,
}

/// How an accepted connection is told.
#[derive(Debug)]
pub(crate) enum At {
    Conn(ConnId),
    /// For another reactor.
    Descriptor(SimDescriptor),
}

impl Network {
    pub(crate) fn listen(
        &mut self,
        host: usize,
        listen: &Listen,
    ) -> io::Result<(ListenerId, Address)> {
        let (listener, address) = self.hosts[host].listen(listen)?;
        self.note(host, format_args!("listens at {address}"));
        Ok((listener, address))
    }

    /// Starts to connect; a failure that is known at once is told like any other.
    pub(crate) fn connect(&mut self, host: usize, connect: &Connect) -> ConnId {
        let route = self.route(host, connect);
        let trouble = route.as_ref().err().copied();
        let mut wire = self.new_wire(host, route.unwrap_or_else(|_| Route::nowhere(host)));
        let (serial, to) = (wire.serial, &connect.address);
        self.note(host, format_args!("connects c{serial} to {to}"));
        let ready = trouble.map_or_else(|| self.hosts[host].take_descriptor(), Err);
        wire.ends[CLIENT].has_descriptor = ready.is_ok();
        wire.ends[CLIENT].keep_alive = connect.options.keep_alive;
        let key = self.wires.insert(wire);
        let conn = ConnId(self.hosts[host].conns.insert((key, CLIENT)));
        self.wires.get_mut(key).expect("just made").ends[CLIENT].conn = Some(conn);
        match ready {
            Ok(()) => {
                let after = self.travel(key, CLIENT);
                self.plan(after, Happening::Knock { wire: key });
            }
            Err(trouble) => self.fail(key, CLIENT, trouble),
        }
        conn
    }

    fn new_wire(&mut self, host: usize, route: Route) -> Wire {
        self.serial += 1;
        let now = self.now();
        let mut pipe = |link: Link| {
            let (send, receive) = link.buffers(&self.faults, &mut self.random);
            Pipe::new(send, receive)
        };
        let Route { from, to, far } = route;
        let (there, back) = (self.links.between(host, far), self.links.between(far, host));
        let pipes = [pipe(there), pipe(back)];
        let mut fates = [there, back].map(|link| Fate {
            reset_after: link.reset_after,
            vanish_after: link.vanish_after,
            back_after: None,
        });
        self.draw_fate(&mut fates);
        Wire {
            serial: self.serial,
            ends: [
                End::new(host, from, Life::Connecting, now),
                End::new(far, to, Life::Gone, now),
            ],
            pipes,
            fates,
            forgotten: false,
        }
    }

    /// A request to connect is at its host.
    pub(crate) fn knock(&mut self, key: Key) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if !self.passes(wire, CLIENT) {
            self.parked
                .push((key, CLIENT, Happening::Knock { wire: key }));
            return;
        }
        let (far, to, link) = (
            wire.ends[SERVER].host,
            wire.ends[SERVER].address.clone(),
            self.link(wire, CLIENT),
        );
        if self.random.chance(self.faults.unanswered) {
            self.note(far, format_args!("never hears the knock for {to}"));
            return;
        }
        let listeners = self.hosts[far].listeners_at(&to);
        if listeners.is_empty() || link.refuse || self.random.chance(self.faults.refuse) {
            self.note(far, format_args!("refuses {to}"));
            self.send_answer(key, false);
            return;
        }
        let listener = listeners[self.random.index(listeners.len())];
        self.put_in_backlog(key, far, listener);
    }

    fn put_in_backlog(&mut self, key: Key, far: usize, listener: ListenerId) {
        let Some(place) = self.hosts[far].listeners.get_mut(listener.0) else {
            return;
        };
        if place.is_full() {
            place.turned_away.push(key);
            return;
        }
        place.backlog.push_back(key);
        let keep_alive = place.listen.options.keep_alive;
        if !std::mem::replace(&mut place.listed, true) {
            self.hosts[far].ready.push_back(Ready::Listener(listener));
        }
        let now = self.now();
        let wire = self.wires.get_mut(key).expect("it knocked");
        let address = wire.ends[SERVER].address.clone();
        wire.ends[SERVER] = End::new(far, address, Life::Waiting, now);
        wire.ends[SERVER].keep_alive = keep_alive;
        self.send_answer(key, true);
    }

    fn send_answer(&mut self, key: Key, accepted: bool) {
        let after = self.travel(key, SERVER);
        if let Some(wire) = self.wires.get_mut(key) {
            // The server's first bytes do not overtake its answer.
            wire.pipes[SERVER].not_before(self.now.get().saturating_add(after));
        }
        self.plan(
            after,
            Happening::Answer {
                wire: key,
                accepted,
            },
        );
    }

    /// The answer is at the client.
    pub(crate) fn answer(&mut self, key: Key, accepted: bool) {
        let now = self.now();
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if wire.ends[CLIENT].life != Life::Connecting {
            return;
        }
        if !self.passes(wire, SERVER) {
            self.parked.push((
                key,
                SERVER,
                Happening::Answer {
                    wire: key,
                    accepted,
                },
            ));
            return;
        }
        if !accepted {
            self.fail(key, CLIENT, Trouble::Kind(io::ErrorKind::ConnectionRefused));
            return;
        }
        let end = &mut self.wires.get_mut(key).expect("it was there").ends[CLIENT];
        end.life = Life::Open;
        end.heard_at = now;
        self.mark(key, CLIENT);
        self.feed(key, CLIENT);
        self.draw_partition(key);
    }

    /// Takes a connection out of a listener's backlog; `None` when it is empty.
    ///
    /// One for which there is no descriptor is accepted and closed at once, by means of a reserve, as on real systems:
    /// its peer is told, and the loop does not spin (R46).
    pub(crate) fn accept(&mut self, host: usize, listener: ListenerId) -> Option<Accepted> {
        loop {
            let place = self.hosts[host].listeners.get_mut(listener.0)?;
            let Some(key) = place.backlog.pop_front() else {
                place.listed = false;
                return None;
            };
            for turned_away in std::mem::take(&mut place.turned_away) {
                let after = self.travel(turned_away, CLIENT);
                self.plan(after, Happening::Knock { wire: turned_away });
            }
            // One that was reset meanwhile is passed over, as ECONNABORTED is.
            if self
                .wires
                .get(key)
                .is_none_or(|wire| wire.ends[SERVER].life != Life::Waiting)
            {
                continue;
            }
            if self.random.chance(self.faults.exhaust)
                || self.hosts[host].take_descriptor().is_err()
            {
                self.shed(key, host);
                continue;
            }
            let place = self.hosts[host].listeners.get(listener.0)?;
            let hand_over = place.listen.hand_over;
            return Some(self.open_accepted(key, host, hand_over));
        }
    }

    fn open_accepted(&mut self, key: Key, host: usize, hand_over: bool) -> Accepted {
        let at = match hand_over {
            true => At::Descriptor(self.descriptor(host, key, SERVER)),
            false => At::Conn(ConnId(self.hosts[host].conns.insert((key, SERVER)))),
        };
        let wire = self.wires.get_mut(key).expect("it was waiting");
        let end = &mut wire.ends[SERVER];
        if let At::Conn(conn) = at {
            end.conn = Some(conn);
        }
        (end.has_descriptor, end.life, end.fresh) = (true, Life::Open, false);
        let own = end.address.clone();
        let (peer, serial) = (wire.ends[CLIENT].address.clone(), wire.serial);
        self.note(host, format_args!("accepts c{serial} at {own} from {peer}"));
        self.mark(key, SERVER);
        Accepted {
            at,
            host: own,
            peer,
        }
    }

    fn shed(&mut self, key: Key, host: usize) {
        let serial = self.wires.get(key).expect("it was waiting").serial;
        self.note(
            host,
            format_args!("has no descriptor: accepts and closes c{serial}"),
        );
        if let Some(count) = self.hosts[host].shed(self.now.get()) {
            let name = &self.hosts[host].name;
            tracing::warn!(host = %name, count, "no descriptor left: accepted and closed peers");
        }
        self.abandon(key, SERVER);
    }

    /// Stops to listen. Who still waits in the backlog is reset, who was turned away is refused when it knocks again.
    pub(crate) fn stop_listening(&mut self, host: usize, listener: ListenerId) {
        let Some(place) = self.hosts[host].listeners.remove(listener.0) else {
            return;
        };
        self.hosts[host].descriptors -= 1;
        self.note(host, format_args!("stops listening at {}", place.address));
        for key in place.backlog {
            self.send_reset(key, other(SERVER));
            self.end(key, SERVER);
        }
        for wire in place.turned_away {
            self.plan(Duration::ZERO, Happening::Knock { wire });
        }
    }
}
