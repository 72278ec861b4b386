//! Deferreds, callbacks and `async`.
//!
//! A [`Deferred`](crate::Deferred) is a result that comes later, once. It is a `Future` too, so callbacks and `.await` are
//! equals, and either may be wrapped in the other.
//!
//! ```
//! use ropewalk::{Deferred, Reactor, sim::SimDriver};
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1));
//! reactor.run_main(|reactor| async move {
//!     let (deferred, resolver) = Deferred::new(&reactor);
//!     let doubled = deferred.add_callback(|n: u32| Ok(n * 2)).add_errback(|_| Ok(0));
//!     resolver.resolve(21)?; // runs nothing: the callbacks run on the reactor's turn
//!     assert_eq!(doubled.await?, 42);
//!     Ok(())
//! })?;
//! # Ok::<(), ropewalk::Failure>(())
//! ```
//!
//! - **Errors** are [`Failure`](crate::Failure)s: any error, by `?`. `failure.downcast_ref::<ConnectError>()` asks which.
//! - **A failure that nobody looked at** is logged when its Deferred is dropped, with where it was made.
//! - **Cancelling** asks whoever works on the result to stop: a look-up is given up, an attempt to connect ends, a task's `.await`
//!   fails with `Cancelled`, which it may handle.
//! - **Lending**: `transport.when(deferred, |this: &mut Chat, transport, result| …)` brings a result to a protocol, if its connection
//!   is still there.
