//! Keeps one WebSocket, for as long as it is started.
//!
//! ```text
//!   start ─► asking ─► open ─► lost ─┐
//!              ▲ refused ─► waiting ◄┘   stop at any time ─► closed with 1001 ─► gone
//!              └───────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ropewalk_core::deferred::Canceller;
use ropewalk_core::service::Service;
use ropewalk_core::timer::sleep;
use ropewalk_core::{BackOff, Deferred, Failure, Handle, Waiters};
use ropewalk_grammar::websocket::CloseCode;

use super::asking::ask;
use super::client::WebSocketClient;
use super::connect_error::WebSocketConnectError;
use super::protocol::WebSocketProtocol;
use super::socket::WebSocket;
use crate::client::Agent;

/// A client that keeps one WebSocket: asks for it when started, and again whenever it is lost or refused. Clones are the same
/// service; when the last is dropped, nobody asks again.
///
/// The delays grow with each failure in a row, as those of a [`ClientService`](ropewalk_core::ClientService), and begin anew
/// only once a WebSocket is open: a connection on which the handshake is refused is a failure, whatever the status. It never
/// gives up by itself, as what is forbidden or not there now may be there later; [`when_connected`](Self::when_connected) with a
/// number tells who wants to.
///
/// - A server that refuses with 429 or 503 and says `Retry-After` is not asked before, up to an hour.
/// - One that closes with another code than 1000 and 1001 within a minute has let us in and does not want us (1008, 1011, a
///   code of its own …): that is a failure in the row, too.
/// - One that closes with 1012 or 1013 is left alone for 5 to 30 s by chance at least.
///
/// ```
/// use ropewalk_core::{Failure, Handle};
/// use ropewalk_web::Agent;
/// use ropewalk_web::websocket::{Conversation, WebSocketClient};
///
/// async fn keep(reactor: Handle) -> Result<(), Failure> {
///     let client = WebSocketClient::new("wss://prices.example/")?;
///     let service = client.service(&Agent::new(&reactor), || Conversation::new(|mut socket| async move {
///         while let Some(message) = socket.recv().await {
///             println!("{message:?}");
///         }
///     }));
///     service.start_service();
///     service.when_connected(Some(3)).await?.send_text("tea");
///     service.stop_service().await
/// }
/// ```
#[derive(Clone)]
pub struct WebSocketService(Rc<Inner>);

struct Inner {
    handle: Handle,
    ask: RefCell<Ask>,
    back_off: Cell<BackOff>,
    socket: RefCell<Option<WebSocket>>,
    /// What asks and waits, while it is started.
    task: RefCell<Option<Canceller>>,
    waiters: Waiters<WebSocket>,
}

/// Asks once.
type Ask = Box<dyn FnMut(Weak<Inner>) -> Asked>;
type Asked = Pin<Box<dyn Future<Output = Result<WebSocket, WebSocketConnectError>>>>;

/// No server can ask for more patience. Stops one that errs, or means ill, from being the last word for ever.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);

/// How long a WebSocket lasts that was wanted. Stops a server that lets everybody in and closes from being asked every second.
const LASTING: Duration = Duration::from_secs(60);

/// How long to leave a server alone that restarts or has too much to do, as those recommend who made 1012 and 1013.
const RESPITE: BackOff = BackOff {
    initial: Duration::from_secs(5),
    factor: 1.0,
    jitter: 0.0,
    spread: Duration::from_secs(25),
    maximum: Duration::from_secs(5),
};

impl WebSocketService {
    pub(super) fn new<P: WebSocketProtocol>(
        client: WebSocketClient,
        agent: Agent,
        mut make: impl FnMut() -> P + 'static,
    ) -> Self {
        let handle = agent.reactor().clone();
        let ask: Ask = Box::new(move |this| {
            let (client, agent, protocol) = (client.clone(), agent.clone(), make());
            let told = move |socket: &WebSocket| {
                if let Some(this) = this.upgrade() {
                    this.opened(socket);
                }
            };
            Box::pin(async move { ask(&client, &agent, protocol, told).await })
        });
        Self(Rc::new(Inner {
            handle,
            ask: RefCell::new(ask),
            back_off: Cell::new(BackOff::of_client_service()),
            socket: RefCell::default(),
            task: RefCell::default(),
            waiters: Waiters::default(),
        }))
    }

    /// Waits otherwise between attempts.
    #[must_use]
    pub fn with_back_off(self, back_off: BackOff) -> Self {
        self.0.back_off.set(back_off);
        self
    }

    /// Asks, and again whenever that is needed. Does nothing if it is started.
    #[doc(alias = "startService")]
    pub fn start_service(&self) {
        if !self.is_started() {
            let task = self.0.handle.spawn(keep(Rc::downgrade(&self.0)));
            *self.0.task.borrow_mut() = Some(task.canceller());
            drop(task); // it goes on by itself
        }
    }

    /// Closes the WebSocket with 1001, and asks for no other; fires once it is really gone. Waiters fail as cancelled.
    #[doc(alias = "stopService")]
    #[must_use]
    pub fn stop_service(&self) -> Deferred<()> {
        if let Some(task) = self.0.task.take() {
            task.cancel();
        }
        self.0.waiters.cancel();
        let socket = self.0.socket.borrow().clone();
        let this = Rc::downgrade(&self.0);
        self.0.handle.spawn(async move {
            if let Some(socket) = socket {
                socket.close(CloseCode::GOING_AWAY, "");
                socket.closed().await;
                if let Some(this) = this.upgrade() {
                    this.forget(&socket);
                }
            }
            Ok(())
        })
    }

    /// Fires with the WebSocket once there is one, at once if there is one. With `fail_after`, fails with the last
    /// [`WebSocketConnectError`] (in an `Arc`) after so many failures from now on.
    #[doc(alias = "whenConnected")]
    #[must_use]
    pub fn when_connected(&self, fail_after: Option<u32>) -> Deferred<WebSocket> {
        let socket = self.0.socket.borrow();
        if let Some(socket) = socket.as_ref().filter(|socket| socket.is_open()) {
            return Deferred::succeed(&self.0.handle, socket.clone());
        }
        self.0.waiters.wait(&self.0.handle, fail_after)
    }

    /// Whether it is started.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.task.borrow().is_some()
    }
}

/// What an attempt came to.
struct After {
    /// It counts as a failure.
    is_failure: bool,
    /// There was a WebSocket that was wanted: failures before it count no more.
    is_forgiven: bool,
    /// The server, or good manners, ask to wait so long at least.
    patience: Duration,
}

/// Asks, waits for the end, waits a while, and so on.
async fn keep(this: Weak<Inner>) -> Result<(), Failure> {
    let mut failures = 0;
    while let Some(after) = attempt(&this).await {
        let Some(inner) = this.upgrade() else { break };
        if after.is_forgiven {
            failures = 0;
        }
        let delay = inner.back_off.get().draw(failures, &inner.handle);
        failures += u32::from(after.is_failure);
        let handle = inner.handle.clone();
        drop(inner);
        sleep(&handle, delay.max(after.patience)).await?;
    }
    Ok(())
}

/// Asks, and waits for the end; `None` if nobody has the service any more.
async fn attempt(this: &Weak<Inner>) -> Option<After> {
    let asked = (this.upgrade()?.ask.borrow_mut())(this.clone());
    let asked = asked.await;
    let inner = this.upgrade()?;
    match asked {
        Ok(socket) => {
            let opened_at = inner.handle.now();
            drop(inner);
            socket.closed().await;
            let inner = this.upgrade()?;
            inner.forget(&socket);
            let is_lasting = inner.handle.now() - opened_at >= LASTING;
            Some(inner.lost(socket.0.dismissed_with(), is_lasting))
        }
        Err(error) => Some(inner.refused(error)),
    }
}

impl Inner {
    fn opened(&self, socket: &WebSocket) {
        *self.socket.borrow_mut() = Some(socket.clone());
        self.waiters.resolve(socket);
    }

    fn forget(&self, socket: &WebSocket) {
        let mut kept = self.socket.borrow_mut();
        if kept.as_ref() == Some(socket) {
            *kept = None;
        }
    }

    /// There was a WebSocket, and it is gone: what it means that the server closed so, if it did.
    fn lost(&self, dismissed_with: Option<CloseCode>, is_lasting: bool) -> After {
        let code = match dismissed_with {
            None | Some(CloseCode::NORMAL | CloseCode::GOING_AWAY) => {
                return After {
                    is_failure: false,
                    is_forgiven: true,
                    patience: Duration::ZERO,
                };
            }
            Some(code) => code,
        };
        tracing::info!(%code, "the server closed; the WebSocket service will try again");
        let patience = match code {
            CloseCode::RESTART | CloseCode::TRY_AGAIN_LATER => RESPITE.draw(0, &self.handle),
            _ => Duration::ZERO,
        };
        After {
            is_failure: true,
            is_forgiven: is_lasting,
            patience,
        }
    }

    /// There was none: tells those who wait no longer.
    fn refused(&self, error: WebSocketConnectError) -> After {
        tracing::info!(%error, "the WebSocket service will try again");
        let patience = match &error {
            WebSocketConnectError::Refused(refused) if matches!(refused.status, 429 | 503) => {
                refused.retry_after(self.handle.wall_time())
            }
            _ => None,
        };
        self.waiters.failed(error);
        After {
            is_failure: true,
            is_forgiven: false,
            patience: patience.map_or(Duration::ZERO, |patience| self.spread(patience)),
        }
    }

    /// What a server asks for, spread like all delays: or all whom it told the same would come back in the same moment.
    fn spread(&self, patience: Duration) -> Duration {
        let patience = patience.min(MOST_PATIENCE);
        let asked_for = BackOff {
            initial: patience,
            factor: 1.0,
            jitter: 0.0,
            maximum: patience,
            ..self.back_off.get()
        };
        asked_for.draw(0, &self.handle)
    }
}

/// The service in a tree of services: its stop waits until the WebSocket is really gone. It keeps the handle of its agent.
impl Service for WebSocketService {
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        self.start_service();
        Deferred::succeed(handle, ())
    }

    fn stop(&mut self, _: &Handle) -> Deferred<()> {
        self.stop_service()
    }
}

impl fmt::Debug for WebSocketService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketService")
            .field("is_started", &self.is_started())
            .field("socket", &self.0.socket.borrow())
            .finish_non_exhaustive()
    }
}
