//! Services: what a program is made of, started in order and stopped in reverse.
//!
//! ```text
//!   Application ─ MultiService ─┬─ "names"  a Service ── its Scope: ports, connections, tasks, timers, hooks
//!                               ├─ "uplink" a Service ── its Scope
//!                               └─ "web"    a Service ── its Scope
//!       start ───────────────────────────────►            a failing start stops those before it, last first
//!       ◄─────────────────────────────── stop             each has its deadlines; what is left then is cut off
//! ```
//!
//! A [`Service`] is given a [`Handle`] of its own. Whatever it starts through that handle belongs to its [`Scope`] and ends
//! with it: nothing has to be remembered in order to be stopped, and nothing is left behind.
//!
//! Not here: where services come from (a command, a file), and what they do.

use std::any::Any;

use crate::deferred::{Answer, Deferred, Settled};
use crate::handle::Handle;

mod application;
mod cut_off;
mod drain;
mod grace;
mod multi_service;
mod owned;
mod scope;
mod service_error;
mod stream_server;
mod timer_service;

pub use application::Application;
pub use cut_off::CutOff;
pub use grace::Grace;
pub use multi_service::{MultiService, NameTaken};
pub use scope::Scope;
pub use service_error::ServiceError;
pub use stream_server::StreamServer;
pub use timer_service::TimerService;

pub(crate) use drain::{Drain, Drains};
pub(crate) use owned::{Ends, Owned, Ownership};

/// Something that is started and stopped: a part of a program.
///
/// *Guaranteed* by whoever runs it ([`MultiService`], [`Application`]): `privileged_start` if at all before `start`, each
/// waited for before the next; `stop` after a start that went well, and not before it has its result. A service may be
/// started again after it was stopped. A panic in a method counts as its failure.
///
/// The handle is the service's own, a new one for each start: what is started through it ends when the service has
/// stopped. It may be kept and cloned.
///
/// A function that takes a handle is a service; it is called at each start.
///
/// ```
/// use ropewalk_core::service::{MultiService, Service};
/// use ropewalk_core::{Deferred, Handle, Protocol, Transport};
///
/// # struct Echo;
/// # impl Protocol for Echo { fn data_received(&mut self, _: &Transport, _: &[u8]) {} }
/// struct EchoServer {
///     endpoint: String,
/// }
///
/// impl Service for EchoServer {
///     fn start(&mut self, handle: &Handle) -> Deferred<()> {
///         // The port, and its connections, end with this service.
///         handle.listen(&self.endpoint, || Echo).add_callback(|_port| Ok(()))
///     }
/// }
///
/// let services = MultiService::new()
///     .with("echo", EchoServer { endpoint: "tcp:127.0.0.1:0".to_owned() })
///     .with("watch", |_: &Handle| println!("echo is reachable"));
/// # let _ = services;
/// ```
#[doc(alias = "IService")]
pub trait Service: Any {
    /// What must be done before the process drops its privileges: bind a low port. Called for all services of an
    /// application, before the reactor runs and before any `start`.
    #[doc(alias = "privilegedStartService")]
    fn privileged_start(&mut self, handle: &Handle) -> Deferred<()> {
        Deferred::succeed(handle, ())
    }

    /// Starts; what depends on this service is started once the Deferred has fired. If it fails, so does the start of the
    /// whole tree.
    #[doc(alias = "startService")]
    fn start(&mut self, handle: &Handle) -> Deferred<()>;

    /// How long its stop may take; `None` for as long as its tree says.
    fn grace(&self) -> Option<Grace> {
        None
    }

    /// Stops; fires once that is done. What the service started through its handle need not be looked after: it ends by
    /// itself, see [`Scope::end`]. While this goes on the handle still works.
    #[doc(alias = "stopService")]
    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        Deferred::succeed(handle, ())
    }
}

impl<F, R> Service for F
where
    F: FnMut(&Handle) -> R + 'static,
    R: Answer<Value = ()>,
{
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        match self(handle).into_settled() {
            Settled::Now(result) => Deferred::settled(handle, result),
            Settled::Later(deferred) => deferred,
        }
    }
}

impl Service for Box<dyn Service> {
    fn privileged_start(&mut self, handle: &Handle) -> Deferred<()> {
        (**self).privileged_start(handle)
    }

    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        (**self).start(handle)
    }

    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        (**self).stop(handle)
    }

    fn grace(&self) -> Option<Grace> {
        (**self).grace()
    }
}

/// The client service as a part of a tree: its stop waits until the connection is really gone (R116). It keeps the handle
/// that it was made with.
impl Service for crate::ClientService {
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        self.start_service();
        Deferred::succeed(handle, ())
    }

    fn stop(&mut self, _handle: &Handle) -> Deferred<()> {
        self.stop_service()
    }
}
