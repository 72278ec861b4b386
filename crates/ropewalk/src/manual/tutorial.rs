//! Ten minutes from nothing to a tested server.
//!
//! # A server
//!
//! A [`Protocol`](crate::Protocol) is one end of one conversation: it is told what comes, and tells its
//! [`Transport`](crate::Transport) what to send. A factory makes one for each connection; a closure will do.
//!
//! ```no_run
//! use ropewalk::{Failure, Protocol, Transport};
//!
//! struct Shout;
//!
//! impl Protocol for Shout {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.write("say something\n");
//!     }
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data.to_ascii_uppercase());
//!     }
//! }
//!
//! fn main() -> Result<(), Failure> {
//!     let mut reactor = ropewalk::reactor()?;
//!     reactor.listen("tcp:127.0.0.1:8000", || Shout)?;
//!     Ok(reactor.run()?)
//! }
//! ```
//!
//! # State that connections share
//!
//! A reactor lives on one thread, so an `Rc<RefCell<…>>` is all that shared state needs. No callback runs inside a call of
//! yours, so a borrow is never in the way of another.
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//! use ropewalk::{Protocol, Reactor, Reason, Transport, sim::SimDriver};
//!
//! #[derive(Clone, Default)]
//! struct Room(Rc<RefCell<Vec<Transport>>>);
//!
//! impl Protocol for Room {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         self.0.borrow_mut().push(transport.clone());
//!     }
//!     fn data_received(&mut self, _: &Transport, data: &[u8]) {
//!         for member in &*self.0.borrow() {
//!             member.write(data); // only queues
//!         }
//!     }
//!     fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
//!         self.0.borrow_mut().retain(|member| member != transport);
//!     }
//! }
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1));
//! let room = Room::default();
//! reactor.listen("tcp:10.0.0.1:8000", move || room.clone())?;
//! # Ok::<(), ropewalk::Failure>(())
//! ```
//!
//! # Time
//!
//! A transport lends its protocol to a closure later. If the connection is gone by then, the closure is dropped: nothing to
//! cancel, no lifetime to think of.
//!
//! ```
//! # use std::time::Duration;
//! # use ropewalk::{Protocol, Transport};
//! struct Impatient { greeted: bool }
//!
//! impl Protocol for Impatient {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.call_later(Duration::from_secs(5), |this: &mut Self, transport| {
//!             if !this.greeted {
//!                 transport.lose_connection();
//!             }
//!         });
//!     }
//!     fn data_received(&mut self, _: &Transport, _: &[u8]) {
//!         self.greeted = true;
//!     }
//! }
//! ```
//!
//! # Test it without a network
//!
//! The same protocol, on a driver that only pretends: a seeded world in which time jumps and everything that can happen on a
//! network does. A failing seed fails again the same way.
//!
//! ```
//! use ropewalk::{Protocol, Reactor, Reason, Transport, sim::SimDriver};
//!
//! struct Echo;
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! struct Client(Vec<u8>);
//! impl Protocol for Client {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.write("hello");
//!     }
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         self.0.extend_from_slice(data);
//!         if self.0.len() == 5 {
//!             transport.lose_connection();
//!         }
//!     }
//!     fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
//!         assert!(reason.is_clean());
//!         assert_eq!(self.0, b"hello");
//!         transport.reactor().stop().unwrap();
//!     }
//! }
//!
//! for seed in 0..10 {
//!     let mut reactor = Reactor::new(SimDriver::alone(seed));
//!     reactor.listen("tcp:10.0.0.1:7", || Echo)?;
//!     reactor.connect("tcp:10.0.0.1:7", || Client(Vec::new()))?;
//!     reactor.run()?;
//! }
//! # Ok::<(), ropewalk::Failure>(())
//! ```
