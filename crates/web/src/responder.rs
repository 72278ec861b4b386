//! Answering later, and piece by piece.

use std::fmt;
use std::future::poll_fn;

use bytes::Bytes;
use http::StatusCode;
use ropewalk_core::Failure;

use crate::body::{Content, Source};
use crate::body_error::BodyError;
use crate::exchange::{Order, Phase};
use crate::headers::Headers;
use crate::into_response::IntoResponse;
use crate::request::Request;
use crate::response::Response;

/// Answers one request, whenever: see [`Request::respond_later`]. Dropped without an answer, it answers 500.
pub struct Responder {
    request: Request,
    is_spent: bool,
}

impl Responder {
    pub(crate) fn new(request: Request) -> Self {
        Self {
            request,
            is_spent: false,
        }
    }

    /// Answers; ignored if the client is gone (R142).
    pub fn respond(mut self, answer: impl IntoResponse) {
        self.is_spent = true;
        let response = answer.into_response();
        self.request.order(Order::Respond(response));
    }

    /// Answers with a head, and gives what sends the body piece by piece; `response`'s own body is not used.
    #[must_use = "without it the body has no end"]
    pub fn respond_in_pieces(mut self, mut response: Response) -> BodySender {
        self.is_spent = true;
        response.body_mut().0 = Content::Pieces;
        self.request.order(Order::Respond(response));
        BodySender::new(self.request.clone())
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Whether the client is gone, so that an answer would reach nobody.
    pub fn is_abandoned(&self) -> bool {
        self.request.is_abandoned()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.is_spent && !self.is_abandoned() {
            tracing::error!(request = ?self.request, "a responder was dropped without an answer");
            let response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            self.request.order(Order::Respond(response));
        }
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Responder({:?})", self.request)
    }
}

/// Sends the body of a response piece by piece, at the speed of the client.
///
/// Dropped without [`finish`](Self::finish), it cuts the response short, so that the client sees that it is not whole.
pub struct BodySender {
    request: Request,
    is_spent: bool,
}

impl BodySender {
    fn new(request: Request) -> Self {
        Self {
            request,
            is_spent: false,
        }
    }

    /// Sends a piece, and waits until there is room for the next.
    ///
    /// # Errors
    ///
    /// [`BodyError::Cut`]: the client is gone.
    pub async fn send(&mut self, piece: impl Into<Bytes>) -> Result<(), BodyError> {
        self.push(piece)?;
        poll_fn(|context| self.request.0.exchange.poll_room(context)).await;
        match self.request.0.exchange.phase() {
            Phase::Gone | Phase::Finished => Err(BodyError::Cut),
            Phase::Unanswered | Phase::Answered => Ok(()),
        }
    }

    /// Sends a piece without waiting for room: for little that comes seldom, such as events.
    ///
    /// # Errors
    ///
    /// [`BodyError::Cut`]: the client is gone.
    pub fn push(&mut self, piece: impl Into<Bytes>) -> Result<(), BodyError> {
        if self.request.is_abandoned() {
            return Err(BodyError::Cut);
        }
        self.request.order(Order::Chunk(piece.into()));
        Ok(())
    }

    /// How many bytes wait in this process for the client to take them.
    pub fn unsent_bytes(&self) -> usize {
        let exchange = &self.request.0.exchange;
        match self.request.is_abandoned() {
            true => 0,
            false => exchange.queued_bytes() + self.request.carrier().unsent_bytes(),
        }
    }

    /// Ends the response.
    pub fn finish(self) {
        self.finish_with(Headers::new());
    }

    /// Ends the response with trailers, which clients see only behind chunks.
    pub fn finish_with(mut self, trailers: Headers) {
        self.is_spent = true;
        self.request.order(Order::End(trailers));
    }

    /// Cuts the response short and logs why.
    pub fn fail(mut self, why: impl Into<Failure>) {
        self.is_spent = true;
        self.request.order(Order::Fail(why.into()));
    }

    /// Cuts the response short for what the client did to itself, which is no error of ours.
    pub(crate) fn drop_client(mut self) {
        self.is_spent = true;
        self.request.order(Order::Drop);
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        if !self.is_spent && !self.request.is_abandoned() {
            let why = Failure::message("the sender of the body was dropped before the end");
            self.request.order(Order::Fail(why));
        }
    }
}

impl fmt::Debug for BodySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodySender({:?})", self.request)
    }
}

/// Sends what a stream gives.
pub(crate) async fn send_source(mut source: Source, request: Request) {
    let mut sender = BodySender::new(request);
    let mut trailers = Headers::new();
    loop {
        let frame = poll_fn(|context| source.as_mut().poll_frame(context)).await;
        let frame = match frame {
            None => return sender.finish_with(trailers),
            Some(Err(failure)) => return sender.fail(failure),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(piece) if piece.is_empty() => {}
            Ok(piece) => {
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
            Err(other) => {
                if let Ok(fields) = other.into_trailers() {
                    trailers = fields.into();
                }
            }
        }
    }
}
