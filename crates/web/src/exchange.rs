//! One request and its response, between the connection that carries them and the handles that others hold.
//!
//! ```text
//!   Responder, BodySender, filters ── orders ──► queue ── the connection's turn ──► bytes
//!   connection lost, client slow ── told ──► cancelled task, wakers, finished()
//! ```
//!
//! Handles only queue: nothing here touches a transport, so that a request of HTTP/2 will be carried in the same way.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::StatusCode;
use ropewalk_core::deferred::Canceller;
use ropewalk_core::{Failure, Resolver};

use crate::gzip::Coder;
use crate::headers::Headers;
use crate::request::Request;
use crate::response::Response;

/// How much of a response may wait here and in the connection before its sender waits.
const FULL_BYTES: usize = 64 * 1024;

/// What a handle wants done.
pub(crate) enum Order {
    Interim(StatusCode, Headers),
    Respond(Response),
    Chunk(Bytes),
    End(Headers),
    /// Cut the response short, so that the client sees that it is not whole.
    Fail(Failure),
    /// The same, by nobody's fault here: who orders it has said why.
    Drop,
}

/// Changes a response on its way out.
pub(crate) type Filter = Box<dyn FnOnce(&Request, Response) -> Response>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Unanswered,
    Answered,
    Finished,
    /// The client left.
    Gone,
}

/// Who wants to know what becomes of the exchange.
enum Waiting {
    /// That it is over.
    End(Resolver<()>),
    /// That the site stops before.
    Stop(Box<dyn FnOnce()>),
}

pub(crate) struct Exchange {
    phase: Cell<Phase>,
    /// Nobody has used `more` yet.
    is_plain: Cell<bool>,
    more: More,
}

/// What a request needs that is not answered at once, or whose answer is changed on its way: most do not.
#[derive(Default)]
struct More {
    orders: RefCell<VecDeque<Order>>,
    queued_bytes: Cell<usize>,
    filters: RefCell<Vec<Filter>>,
    waiting: RefCell<Vec<Waiting>>,
    task: RefCell<Option<Canceller>>,
    is_full: Cell<bool>,
    coder: RefCell<Option<Box<Coder>>>,
    wakers: RefCell<Vec<Waker>>,
}

impl More {
    fn clear(&mut self) {
        self.queued_bytes.set(0);
        self.is_full.set(false);
        self.orders.get_mut().clear();
        self.filters.get_mut().clear();
        self.waiting.get_mut().clear();
        self.wakers.get_mut().clear();
        self.task.get_mut().take();
        self.coder.get_mut().take();
    }
}

impl Exchange {
    pub(crate) fn new() -> Self {
        Self {
            phase: Cell::new(Phase::Unanswered),
            is_plain: Cell::new(true),
            more: More::default(),
        }
    }

    /// Forgets everything, for the next request.
    pub(crate) fn renew(&mut self) {
        self.phase.set(Phase::Unanswered);
        if !self.is_plain.replace(true) {
            self.more.clear();
        }
    }

    /// To add to it; who only looks, or takes away, need not call this.
    fn more(&self) -> &More {
        self.is_plain.set(false);
        &self.more
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Queues an order; tells whether there is still somebody to carry it out.
    pub(crate) fn order(&self, order: Order) -> bool {
        if matches!(self.phase.get(), Phase::Gone | Phase::Finished) {
            return false;
        }
        let more = self.more();
        if let Order::Chunk(chunk) = &order {
            more.queued_bytes.set(more.queued_bytes.get() + chunk.len());
        }
        more.orders.borrow_mut().push_back(order);
        true
    }

    pub(crate) fn next_order(&self) -> Option<Order> {
        loop {
            let order = self.more.orders.borrow_mut().pop_front()?;
            if let Order::Chunk(chunk) = &order {
                self.unqueue(chunk.len());
            }
            if let Some(order) = self.coded(order) {
                return Some(order);
            }
        }
    }

    /// So much waits no longer here, but in the connection, which may have room yet.
    fn unqueue(&self, bytes: usize) {
        let before = self.more.queued_bytes.get();
        self.more.queued_bytes.set(before - bytes);
        if before >= FULL_BYTES && before - bytes < FULL_BYTES && !self.more.is_full.get() {
            self.wake();
        }
    }

    /// Has the pieces of the body compressed.
    pub(crate) fn set_coder(&self, coder: Coder) {
        *self.more().coder.borrow_mut() = Some(Box::new(coder));
    }

    /// What is to be done instead, if the body is compressed: nothing, while the coder holds all of a chunk.
    fn coded(&self, order: Order) -> Option<Order> {
        let mut coder = self.more.coder.borrow_mut();
        let Some(inner) = &mut *coder else {
            return Some(order);
        };
        match order {
            Order::Chunk(chunk) => {
                inner.write(&chunk);
                if self.more.orders.borrow().is_empty() {
                    inner.flush();
                }
                let ready = inner.take();
                (!ready.is_empty()).then_some(Order::Chunk(ready))
            }
            Order::End(trailers) => {
                let rest = coder.take().map(|coder| coder.finish());
                let mut orders = self.more.orders.borrow_mut();
                orders.push_front(Order::End(trailers));
                let rest = rest.unwrap_or_default();
                self.more
                    .queued_bytes
                    .set(self.more.queued_bytes.get() + rest.len());
                orders.push_front(Order::Chunk(rest));
                None
            }
            order => Some(order),
        }
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.more.queued_bytes.get()
    }

    pub(crate) fn set_answered(&self) {
        self.phase.set(Phase::Answered);
    }

    pub(crate) fn add_filter(&self, filter: Filter) {
        self.more().filters.borrow_mut().push(filter);
    }

    /// The filters, the innermost first.
    pub(crate) fn next_filter(&self) -> Option<Filter> {
        match self.is_plain.get() {
            true => None,
            false => self.more.filters.borrow_mut().pop(),
        }
    }

    pub(crate) fn set_task(&self, task: Canceller) {
        *self.more().task.borrow_mut() = Some(task);
    }

    pub(crate) fn wait(&self, resolver: Resolver<()>) {
        self.more()
            .waiting
            .borrow_mut()
            .push(Waiting::End(resolver));
    }

    pub(crate) fn on_stop(&self, call: Box<dyn FnOnce()>) {
        self.more().waiting.borrow_mut().push(Waiting::Stop(call));
    }

    /// The site stops: whoever wanted to know it is called.
    pub(crate) fn stop(&self) {
        let is_stop = |waiting: &mut Waiting| matches!(waiting, Waiting::Stop(_));
        let calls: Vec<_> = self
            .more()
            .waiting
            .borrow_mut()
            .extract_if(.., is_stop)
            .collect();
        for call in calls {
            if let Waiting::Stop(call) = call {
                call();
            }
        }
    }

    /// Whether there is room for more of the body; else the waker is woken when there is, or when the client is gone.
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        let is_gone = matches!(self.phase.get(), Phase::Gone | Phase::Finished);
        if is_gone || !self.more.is_full.get() && self.more.queued_bytes.get() < FULL_BYTES {
            return Poll::Ready(());
        }
        self.more()
            .wakers
            .borrow_mut()
            .push(context.waker().clone());
        Poll::Pending
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.more().is_full.set(is_full);
    }

    /// Lets those go on that waited for room.
    pub(crate) fn wake(&self) {
        for waker in self.more.wakers.take() {
            waker.wake();
        }
    }

    /// The response is out as a whole (R141).
    pub(crate) fn finish(&self) {
        self.phase.set(Phase::Finished);
        if self.is_plain.get() {
            return;
        }
        for waiting in self.more.waiting.take() {
            if let Waiting::End(resolver) = waiting {
                let _nobody_else_has_it = resolver.resolve(());
            }
        }
        self.more.task.take();
        self.wake();
    }

    /// The client is gone before the response was out (R141).
    pub(crate) fn give_up(&self, why: impl Fn() -> Failure) {
        self.phase.set(Phase::Gone);
        for waiting in self.more.waiting.take() {
            if let Waiting::End(resolver) = waiting {
                let _nobody_else_has_it = resolver.fail(why());
            }
        }
        drop(self.more.orders.take());
        if let Some(task) = self.more.task.take() {
            task.cancel();
        }
        self.wake();
    }
}
