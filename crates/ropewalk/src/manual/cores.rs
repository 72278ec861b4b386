//! Many cores: one reactor on each.
//!
//! A reactor lives on one thread, with all that it owns, and there is nothing to lock. To use more cores, run more reactors:
//! [`Cores`](crate::cores::Cores) makes a thread for each and calls your setup on every one, core 0 first.
//!
//! ```no_run
//! use std::cell::RefCell;
//! use std::collections::BTreeMap;
//! use std::rc::Rc;
//!
//! use ropewalk::cores::{Core, Cores, Sharing};
//! use ropewalk::driver::ConnId;
//! use ropewalk::{Failure, Protocol, Reason, Transport};
//!
//! /// The clients of this core. No lock: nobody else has them.
//! type Room = Rc<RefCell<BTreeMap<ConnId, Transport>>>;
//!
//! struct Talker {
//!     room: Room,
//!     core: Core<Vec<u8>>,
//! }
//!
//! fn say(room: &Room, line: &[u8]) {
//!     room.borrow().values().for_each(|peer| peer.write(line));
//! }
//!
//! impl Protocol for Talker {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         self.room.borrow_mut().insert(transport.id(), transport.clone());
//!     }
//!     fn data_received(&mut self, _transport: &Transport, line: &[u8]) {
//!         say(&self.room, line);
//!         for core in self.core.broadcast(&line.to_vec()) {
//!             eprintln!("core {core} is too slow and missed a line");
//!         }
//!     }
//!     fn connection_lost(&mut self, transport: &Transport, _reason: &Reason) {
//!         self.room.borrow_mut().remove(&transport.id());
//!     }
//! }
//!
//! fn main() -> Result<(), Failure> {
//!     Cores::new(0).catching_signals().run(|reactor, core: &Core<Vec<u8>>| {
//!         let room = Room::default();
//!         let here = Rc::clone(&room);
//!         core.on_message(move |_, _, line| say(&here, &line));
//!         let core_of_all = core.clone();
//!         let factory = move || Talker { room: Rc::clone(&room), core: core_of_all.clone() };
//!         let port = core.listen(reactor, "tcp:127.0.0.1:8000", Sharing::Hybrid, factory)?;
//!         if core.index() == 0 && let Some(port) = port {
//!             ropewalk::announce(&port)?;
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//!
//! # Who gets a connection
//!
//! | [`Sharing`](crate::cores::Sharing) | who accepts | for |
//! | --- | --- | --- |
//! | `Kernel` | each core, as the kernel's hash says | very many short connections |
//! | `LeastLoaded` | core 0, which hands each descriptor to the core with the fewest connections | few long ones; UNIX sockets |
//! | `Hybrid` | each core; one that has clearly more than another hands over | most servers |
//!
//! A connection moves before its first byte is read, or never, and with everything around it: the TLS handshake happens on
//! the core that serves it.
//!
//! # What cores say to each other
//!
//! Messages of one type, which alone must be `Send`: [`Core::send`](crate::cores::Core::send) to one,
//! [`Core::broadcast`](crate::cores::Core::broadcast) to all others. Mailboxes are bounded, so whoever sends to a core that
//! is slower hears of it and decides: drop, or slow down its own peer.
//!
//! # How they stop
//!
//! Together. When one stops, or at SIGTERM, all stop accepting, finish what is in flight within their
//! [grace](crate::cores::Cores::grace), and have their shutdown; core 0 waits for the others.
//!
//! # Tests
//!
//! A [`Hub`](crate::cores::Hub) ties reactors together that live in one simulated world, on one thread: the same code, in
//! the order of a seed.
