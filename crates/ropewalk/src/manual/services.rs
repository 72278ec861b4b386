//! Services, and how a program ends.
//!
//! # Services
//!
//! A program is a tree of [services](crate::service). They are started in order, each once the one before it has started,
//! and stopped in reverse. A [`Service`](crate::Service) is given a handle of its own; whatever it starts through that
//! handle (ports and their connections, connectors, tasks, timers, loops, hooks) belongs to it and ends with it:
//!
//! ```
//! use std::time::Duration;
//! use ropewalk::service::{Application, StreamServer, TimerService};
//! use ropewalk::sim::SimDriver;
//! use ropewalk::{Handle, Protocol, Reactor, Transport};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let application = Application::new("example")
//!     .with("echo", StreamServer::new("tcp:127.0.0.1:7", || Echo))
//!     .with("beat", TimerService::new(Duration::from_secs(60), |_| println!("still here")))
//!     .with("tomorrow", |handle: &Handle| {
//!         // A function is a service, too. Nothing of this is left when the program stops earlier.
//!         handle.call_later(Duration::from_secs(24 * 3600), |handle| handle.stop());
//!     });
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1)); // in a program: ropewalk::reactor()?
//! application.run(&mut reactor)?;
//! assert_eq!(reactor.now(), Duration::from_secs(24 * 3600));
//! # Ok::<(), ropewalk::Failure>(())
//! ```
//!
//! - A start that fails stops those before it, last first; the [`ServiceError`](crate::ServiceError) names the service.
//! - [`StreamServer::privileged`](crate::service::StreamServer::privileged) opens its port before the first service is
//!   started: let the first service drop privileges.
//! - [`MultiService::add`](crate::MultiService::add), `remove` and `find` work while the tree runs.
//! - A part of a program that is no service may have a [`Scope`](crate::Scope) of its own.
//!
//! | Twisted | Ropewalk |
//! | --- | --- |
//! | `service.Application("name")` | [`Application::new`](crate::Application::new) |
//! | `service.MultiService()`, `setServiceParent` | [`MultiService`](crate::MultiService), `with` and `add` |
//! | `startService`, `stopService`, `privilegedStartService` | `start`, `stop`, `privileged_start` |
//! | `internet.StreamServerEndpointService`, `strports.service` | [`StreamServer`](crate::service::StreamServer) |
//! | `internet.TimerService` | [`TimerService`](crate::service::TimerService) |
//! | `internet.ClientService` | [`ClientService`](crate::ClientService) |
//!
//! # Graceful stop
//!
//! An application, and a program that [`serve`](crate::serve)s, ends so at SIGTERM or SIGINT; any other after
//! [`Handle::set_grace`](crate::Handle::set_grace), or by [`Handle::stop_gracefully`](crate::Handle::stop_gracefully):
//!
//! | when | what |
//! | --- | --- |
//! | at once | [`on_stopping`](crate::Handle::on_stopping); ports stop; protocols are told [`shutting_down`](crate::Protocol::shutting_down) |
//! | then | connections that peers made may end by themselves, idle ones are closed; [`work`](crate::Handle::work) may end |
//! | nothing is left, or [`Grace::soft`](crate::Grace) (8 s) | the rest is cancelled and closed; services stop, last first; shutdown hooks run |
//! | [`Grace::hard`](crate::Grace) (9 s) | what is still there is cut off, and no hook is waited for |
//! | a second signal | the end, now, without hooks |
//!
//! A reactor without a grace stops as [`stop`](crate::Handle::stop) does: hooks run, then every connection is lost.
//!
//! What is *idle*? A protocol that counts its requests knows, and says so:
//!
//! ```
//! use ropewalk::{Protocol, Transport};
//!
//! struct Server {
//!     unanswered: u32,
//! }
//!
//! impl Protocol for Server {
//!     fn data_received(&mut self, _: &Transport, _: &[u8]) {
//!         self.unanswered += 1;
//!     }
//!     fn is_idle(&mut self, _: &Transport) -> bool {
//!         self.unanswered == 0
//!     }
//! }
//! ```
//!
//! Of any other it is found out from outside: a connection is idle once nothing came or went for a second
//! ([`Grace::quiet`](crate::Grace)) and nobody could write an answer, because no handle, producer or pending closure is
//! left that could. So an answer that is being made is never cut, a stream that flows is not cut before the soft deadline,
//! and a program with only idle connections is gone in milliseconds. A protocol that keeps its own transport counts as
//! busy until it says otherwise.
