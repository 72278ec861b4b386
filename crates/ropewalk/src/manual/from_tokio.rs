//! Coming from tokio.
//!
//! | tokio | Ropewalk |
//! | --- | --- |
//! | a task per connection, `read` in a loop | a `Protocol` per connection, told what comes |
//! | `Arc<Mutex<Room>>`, `Send + 'static` | `Rc<RefCell<Room>>`: a reactor and all on it live on one thread |
//! | `tokio::spawn` | `reactor.spawn(future)`: futures need not be `Send` |
//! | `spawn_blocking` | `reactor.defer_to_thread(f)` |
//! | `sleep(d).await` | `timer::sleep(&reactor, d).await`, or `reactor.call_later(d, f)` |
//! | `select!` with a time-out around a read | `transport.set_timeout(…)`: costs nothing per message |
//! | back-pressure by `.await` | `writing_paused` and `writing_resumed`; reading pauses by itself |
//! | `time::pause` and mock sockets | one simulated driver: time, network, names, threads, signals |
//!
//! State lives in the connection, never in a future: dropping a future of ours and asking again loses nothing.
//!
//! ```
//! use std::{cell::RefCell, rc::Rc, time::Duration};
//! use ropewalk::{Reactor, sim::SimDriver, timer::sleep};
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1));
//! let seen = Rc::new(RefCell::new(Vec::new())); // not Send, and held across .await
//! let kept = Rc::clone(&seen);
//! reactor.run_main(|reactor| async move {
//!     for n in 0..3 {
//!         sleep(&reactor, Duration::from_secs(3600)).await; // an hour, at once
//!         kept.borrow_mut().push(n);
//!     }
//!     Ok(())
//! })?;
//! assert_eq!(*seen.borrow(), [0, 1, 2]);
//! # Ok::<(), ropewalk::Failure>(())
//! ```
