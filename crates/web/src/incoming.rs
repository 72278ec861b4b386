//! Bodies as they are received.
//!
//! ```text
//!   connection ── push, finish, fail ──► queue ──► chunk().await, collect(limit)
//!        ▲                                  │
//!        └──────── poke: wanted, emptied ◄──┘       so that it reads on, or tells the peer to begin
//! ```
//!
//! Bounded by whoever feeds it: the connection stops reading while [`Incoming::is_full`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Frame, SizeHint};

use crate::body_error::BodyError;
use crate::client::Decoding;
use crate::headers::Headers;

/// How much of a body may wait for its reader before the connection stops reading.
const FULL_BYTES: usize = 64 * 1024;

/// A body on its way in: of a request at the server, of a response at the client.
///
/// Its bytes are read from the connection only as far as they are asked for here, plus 64 KiB. It is a handle: clones read
/// the same body, each byte once.
///
/// ```
/// use ropewalk_web::{Failure, Incoming};
///
/// async fn count(mut body: Incoming) -> Result<usize, Failure> {
///     let mut count = 0;
///     while let Some(chunk) = body.chunk().await? {
///         count += chunk.len();
///     }
///     Ok(count)
/// }
/// ```
#[derive(Clone)]
pub struct Incoming(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    length: Option<u64>,
    end: Option<Result<Headers, BodyError>>,
    waker: Option<Waker>,
    is_wanted: bool,
    /// It has no length: it ends when the connection does.
    ends_with_connection: bool,
    /// What turns the bytes as they were sent into those that are read.
    decoding: Option<Box<Decoding>>,
    poke: Option<Rc<dyn Fn()>>,
}

/// How a body ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyEnd {
    /// All of it came.
    #[doc(alias = "ResponseDone")]
    Done,
    /// The connection was closed, and the server had not said how long the body is: perhaps there was more.
    #[doc(alias = "PotentialDataLoss")]
    PotentialLoss,
    /// It ended early.
    #[doc(alias = "ResponseFailed")]
    Failed(BodyError),
}

/// The connection's side of a body whose reader may be gone.
#[derive(Clone)]
pub(crate) struct Feed(Weak<RefCell<State>>);

impl Feed {
    /// The body, if anybody can still read it.
    pub(crate) fn body(&self) -> Option<Incoming> {
        self.0.upgrade().map(Incoming)
    }
}

impl Incoming {
    /// A body without bytes, at its end.
    pub fn empty() -> Self {
        let body = Self::new(Some(0), None);
        body.finish(Headers::new());
        body
    }

    /// A body of which nothing has come; `poke` is called when its reader begins, and when a full one was emptied.
    pub(crate) fn new(length: Option<u64>, poke: Option<Rc<dyn Fn()>>) -> Self {
        let mut state = State::default();
        (state.length, state.poke) = (length, poke);
        Self(Rc::new(RefCell::new(state)))
    }

    /// The same for a response: it may have no end of its own, and may be compressed. When the last handle of its reader is dropped before
    /// the end, `poke` is called, too.
    pub(crate) fn of_response(
        length: Option<u64>,
        ends_with_connection: bool,
        decoding: Option<Decoding>,
        poke: Rc<dyn Fn()>,
    ) -> Self {
        let body = Self::new(length.filter(|_| decoding.is_none()), Some(poke));
        let mut state = body.0.borrow_mut();
        state.ends_with_connection = ends_with_connection;
        state.decoding = decoding.map(Box::new);
        drop(state);
        body
    }

    /// What the connection keeps, so that it notices when there is no reader any more.
    pub(crate) fn feed(&self) -> Feed {
        Feed(Rc::downgrade(&self.0))
    }

    /// The next bytes, never none; `None` at the end. Where they are cut means nothing.
    ///
    /// # Errors
    ///
    /// The body ended early: the peer left, was too slow, or broke the rules.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        poll_fn(|context| self.poll_chunk(context)).await
    }

    /// All of it, if that is not more than `limit_bytes`.
    ///
    /// # Errors
    ///
    /// [`BodyError::TooLarge`], as soon as that is known, and as [`chunk`](Self::chunk).
    #[doc(alias = "readBody")]
    pub async fn collect(mut self, limit_bytes: u64) -> Result<Bytes, BodyError> {
        let too_large = BodyError::TooLarge { limit_bytes };
        if self
            .known_length()
            .is_some_and(|length| length > limit_bytes)
        {
            return Err(too_large);
        }
        let Some(first) = self.chunk().await? else {
            return Ok(Bytes::new());
        };
        let mut all = first.len() as u64;
        let mut joined: Option<BytesMut> = None;
        while all <= limit_bytes {
            let Some(chunk) = self.chunk().await? else {
                return Ok(joined.map_or(first, BytesMut::freeze));
            };
            all += chunk.len() as u64;
            joined
                .get_or_insert_with(|| BytesMut::from(&first[..]))
                .extend_from_slice(&chunk);
        }
        Err(too_large)
    }

    /// What stood behind the last chunk, once the end has been read.
    pub fn trailers(&self) -> Option<Headers> {
        self.0.borrow().end.clone()?.ok()
    }

    /// How many bytes it has in all, if the peer said so.
    pub fn known_length(&self) -> Option<u64> {
        self.0.borrow().length
    }

    /// Whether all bytes have come and were read.
    pub fn is_ended(&self) -> bool {
        let state = self.0.borrow();
        state.chunks.is_empty() && matches!(state.end, Some(Ok(_)))
    }

    /// How it ended, once all that came was read; `None` before that.
    pub fn end(&self) -> Option<BodyEnd> {
        let state = self.0.borrow();
        match state.end.as_ref()? {
            _ if !state.chunks.is_empty() => None,
            Ok(_) if state.ends_with_connection => Some(BodyEnd::PotentialLoss),
            Ok(_) => Some(BodyEnd::Done),
            Err(error) => Some(BodyEnd::Failed(error.clone())),
        }
    }

    pub(crate) fn poll_chunk(
        &self,
        context: &Context<'_>,
    ) -> Poll<Result<Option<Bytes>, BodyError>> {
        let mut state = self.0.borrow_mut();
        let was_full = state.bytes >= FULL_BYTES;
        let told = match (state.take_chunk(), &state.end) {
            (Ok(Some(chunk)), _) => Poll::Ready(Ok(Some(chunk))),
            (Err(error), _) => {
                state.end = Some(Err(error.clone()));
                Poll::Ready(Err(error))
            }
            (Ok(None), Some(Ok(_))) => Poll::Ready(Ok(None)),
            (Ok(None), Some(Err(error))) => Poll::Ready(Err(error.clone())),
            (Ok(None), None) => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        };
        let is_new = !std::mem::replace(&mut state.is_wanted, true);
        let must_poke = is_new || was_full && state.bytes < FULL_BYTES;
        let poke = state.poke.clone().filter(|_| must_poke);
        drop(state);
        if let Some(poke) = poke {
            poke();
        }
        told
    }

    // ── The connection's side ───────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn push(&self, data: &[u8]) {
        let waker = {
            let mut state = self.0.borrow_mut();
            state.bytes += data.len();
            state.chunks.push_back(Bytes::copy_from_slice(data));
            state.waker.take()
        };
        wake(waker);
    }

    pub(crate) fn finish(&self, trailers: Headers) {
        self.end_with(Ok(trailers));
    }

    pub(crate) fn fail(&self, error: BodyError) {
        self.end_with(Err(error));
    }

    /// The first end stands.
    fn end_with(&self, end: Result<Headers, BodyError>) {
        let (waker, poke) = {
            let mut state = self.0.borrow_mut();
            state.end.get_or_insert(end);
            (state.waker.take(), state.poke.take())
        };
        drop(poke);
        wake(waker);
    }

    /// Whether so much waits to be read that no more should come.
    pub(crate) fn is_full(&self) -> bool {
        self.0.borrow().bytes >= FULL_BYTES
    }

    /// Whether somebody has begun to read.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.borrow().is_wanted
    }

    /// Whether nobody can read it any more: only the connection has a handle, and its request, which somebody may hold.
    pub(crate) fn is_abandoned(&self, request_is_held: bool) -> bool {
        Rc::strong_count(&self.0) <= 2 && !request_is_held
    }
}

impl State {
    /// The next bytes for the reader, as far as they are here.
    fn take_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(mut decoding) = self.decoding.take() else {
            return Ok(self.take_sent());
        };
        let read = decoding.read(|| self.take_sent());
        if let (Ok(None), Some(Ok(_))) = (&read, &self.end) {
            decoding.check_end()?;
        }
        self.decoding = Some(decoding);
        read
    }

    /// The next bytes as they were sent.
    fn take_sent(&mut self) -> Option<Bytes> {
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        Some(chunk)
    }
}

/// Whoever read it is gone before the end: the connection may want to know.
impl Drop for State {
    fn drop(&mut self) {
        if let Some(poke) = self.poke.take() {
            poke();
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(context).map(Result::transpose)
    }
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let told = self.poll_chunk(context).map(Result::transpose);
        told.map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.known_length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        write!(
            f,
            "Incoming({} bytes wait, end: {:?})",
            state.bytes, state.end
        )
    }
}

impl From<Incoming> for crate::Body {
    fn from(body: Incoming) -> Self {
        Self::wrap(body)
    }
}
