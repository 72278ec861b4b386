//! From a request to the bytes of its response.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use http::StatusCode;
use ropewalk_core::buffer::FileRange;
use ropewalk_core::{Failure, Transport};
use ropewalk_grammar::http1::{
    BodyLength, Expect, Name, RequestHead, ServerExchange, reason_phrase, send_response_head,
};

use super::current::{Current, Switch};
use super::{HttpServer, Stream};
use crate::body::{Content, Piece, Source};
use crate::body_error::BodyError;
use crate::error_page::{dress, error_page, failure_page};
use crate::exchange::{Order, Phase};
use crate::headers::Headers;
use crate::incoming::Incoming;
use crate::into_response::IntoResponse;
use crate::methods::Methods;
use crate::reply::{Reply, When};
use crate::request::Request;
use crate::resource::{options, serve};
use crate::responder::send_source;
use crate::response::Response;
use crate::site_limits::SiteLimits;

/// Bodies up to this length are copied behind their head, so that both leave in one piece; larger ones are shared.
const COPIED_BYTES: usize = 16 * 1024;

impl Stream {
    /// A request has come.
    pub(super) fn begin(&mut self, head: &RequestHead<'_>, transport: &Transport) {
        let wire = ServerExchange::new(head);
        let body = (!wire.is_received()).then(|| incoming(head, transport));
        let request = match self.spare.take() {
            Some(mut request) => {
                request.renew(head, body.clone());
                request
            }
            None => self.site.request(head, body.clone(), transport),
        };
        let record = self.new_record(transport);
        let current = Current::new(request, wire, body, record);
        self.current = Some(current);
        let answer = AssertUnwindSafe(|| self.answer(head.expect(), transport));
        if let Err(payload) = catch_unwind(answer) {
            self.panicked(&*payload, transport);
        }
    }

    /// Has the tree answer, if anybody is to.
    fn answer(&mut self, expect: Expect, transport: &Transport) {
        let Some(current) = &mut self.current else {
            return;
        };
        let is_admitted = current.is_admitted(&self.site, self.is_surplus);
        let request = &current.request;
        let mut reply = match expect {
            _ if !is_admitted => overloaded(&self.site.limits).into(),
            Expect::Other => StatusCode::EXPECTATION_FAILED.into(),
            _ if request.is_for_all() => options(Methods::ALL).with_status(StatusCode::OK).into(),
            _ => serve(&*self.site.root, request),
        };
        match &mut reply.0 {
            When::Now(response) => self.respond(response, transport),
            When::Future(_) | When::Later => deliver(reply, request),
        }
    }

    /// A resource panicked, or what changes its response: that is logged, and answered with 500 if nothing was sent (R148).
    fn panicked(&mut self, payload: &(dyn Any + Send), transport: &Transport) {
        let Some(current) = &self.current else {
            return;
        };
        tracing::error!(request = ?current.request, "a handler panicked");
        if current.request.0.exchange.phase() != Phase::Unanswered {
            return self.drop_client(transport);
        }
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let told = format_args!("a panic: {}", text.unwrap_or("of no text")).to_string();
        let mut page = failure_page(StatusCode::INTERNAL_SERVER_ERROR, told);
        self.respond(&mut page, transport);
    }

    /// Does what handles have ordered.
    pub(super) fn carry_out(&mut self, transport: &Transport) {
        while let Some(current) = &mut self.current {
            if current.must_go_ahead() {
                transport.write_with(|out| current.wire.send_continue(out));
            }
            let Some(order) = current.request.0.exchange.next_order() else {
                return;
            };
            match order {
                Order::Interim(status, headers) => {
                    let (wire, status) = (&mut current.wire, status.as_u16());
                    let sent =
                        transport.write_with(|out| wire.send_interim(status, headers.iter(), out));
                    if let Err(error) = sent {
                        tracing::error!(%error, "an interim response was not sent");
                    }
                }
                Order::Respond(mut response) => self.respond(&mut response, transport),
                Order::Chunk(chunk) => self.send_chunk(&chunk, transport),
                Order::End(trailers) => self.send_end(&trailers, transport),
                Order::Fail(failure) => self.cut_short(&failure, transport),
                Order::Drop => self.drop_client(transport),
            }
        }
    }

    pub(super) fn respond(&mut self, response: &mut Response, transport: &Transport) {
        let Some(current) = &mut self.current else {
            return;
        };
        if current.request.0.exchange.phase() != Phase::Unanswered {
            return tracing::error!(request = ?current.request, "a request was answered twice");
        }
        if response.switch.is_some() && !current.wire.is_received() {
            current.switch = Switch::Waiting(Box::new(std::mem::take(response)));
            return;
        }
        dress(response, &current.request, &self.site);
        while let Some(filter) = current.request.0.exchange.next_filter() {
            *response = filter(&current.request, std::mem::take(response));
        }
        current.request.0.exchange.set_answered();
        // Nobody will read the rest of a body that is too large, so the client need not send it (RFC 9112 9.6).
        let is_too_large = response.status() == StatusCode::PAYLOAD_TOO_LARGE;
        if transport.is_shutting_down() || is_too_large && !current.wire.is_received() {
            current.wire.close();
        }
        if let Err(error) = self.send(response, transport) {
            tracing::error!(%error, "a response cannot be sent");
            let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
            let sent = self.send(&mut response, transport);
            sent.expect("this page can be sent");
        }
    }

    /// Sends a response, of which nothing is sent if it cannot be sent.
    fn send(&mut self, response: &mut Response, transport: &Transport) -> Result<(), Failure> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        let wire = &mut current.wire;
        if let Some(protocol) = response.switch.take() {
            let fields = response.headers().iter();
            transport.write_with(|out| wire.send_switch(fields, out))?;
            current.switch = Switch::Agreed(protocol);
            current.record.status = response.status().as_u16();
            return Ok(());
        }
        let mut head = self.site.heads.lend(response, transport.reactor())?;
        let content = &response.body().0;
        if let Some(bytes) = small(content) {
            let parts = wire.send_whole(&mut head, bytes)?;
            current.record.sent_bytes += parts[1].len() as u64;
            transport.write_vectored(parts);
            current.record.status = response.status().as_u16();
            return Ok(());
        }
        let length = length_of(content);
        transport.write_with(|out| wire.send_prepared_head(&mut head, length, out))?;
        drop(head);
        current.record.status = response.status().as_u16();
        self.send_content(response.take_body().0, transport);
        Ok(())
    }

    fn send_content(&mut self, content: Content, transport: &Transport) {
        match content {
            Content::Bytes(bytes) => {
                self.send_chunk(&bytes, transport);
                self.send_end(&Headers::new(), transport);
            }
            Content::Stream(source) => self.send_stream(source),
            Content::Joined(pieces) => self.send_joined(pieces, transport),
            Content::Pieces => {}
        }
    }

    fn send_stream(&mut self, source: Source) {
        let Some(current) = &mut self.current else {
            return;
        };
        if current.wire.is_unseen() {
            return self.send_nothing();
        }
        let request = current.request.clone();
        let task = request
            .reactor()
            .spawn(send_source(source, request.clone()));
        request.0.exchange.set_task(task.canceller());
    }

    /// The body is not seen, as of HEAD: whatever it would be, it is over.
    fn send_nothing(&mut self) {
        if let Some(current) = &mut self.current {
            let ended = current.wire.send_end(&mut Vec::new());
            ended.expect("a body that is not seen has no length to keep");
        }
    }

    fn send_chunk(&mut self, chunk: &bytes::Bytes, transport: &Transport) {
        let Some(current) = &mut self.current else {
            return;
        };
        current.count_sent(chunk.len());
        let wire = &mut current.wire;
        let sent = match chunk.len() {
            0..=COPIED_BYTES => transport.write_with(|out| wire.send_body(chunk, out)),
            length => transport
                .write_with(|out| wire.send_body_apart(length as u64, out))
                .map(|behind| {
                    if let Some(behind) = behind {
                        transport.write_owned(chunk.clone());
                        transport.write(behind);
                    }
                }),
        };
        if let Err(error) = sent {
            self.cut_short(&error.into(), transport);
        }
    }

    /// Queues all pieces at once: of files, nothing is read before the client takes it.
    fn send_joined(&mut self, pieces: VecDeque<Piece>, transport: &Transport) {
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => self.send_chunk(&bytes, transport),
                Piece::File(range) => self.send_file(range, transport),
            }
        }
        self.send_end(&Headers::new(), transport);
    }

    fn send_file(&mut self, range: FileRange, transport: &Transport) {
        let Some(current) = &mut self.current else {
            return;
        };
        current.count_sent(range.len());
        let (wire, length) = (&mut current.wire, range.len() as u64);
        match transport.write_with(|out| wire.send_body_apart(length, out)) {
            Ok(None) => {}
            Ok(Some(behind)) => {
                transport.write_file(range);
                transport.write(behind);
            }
            Err(error) => self.cut_short(&error.into(), transport),
        }
    }

    fn send_end(&mut self, trailers: &Headers, transport: &Transport) {
        let Some(current) = &mut self.current else {
            return;
        };
        let wire = &mut current.wire;
        let sent = transport.write_with(|out| wire.send_trailers(trailers.iter(), out));
        if let Err(error) = sent {
            self.cut_short(&error.into(), transport);
        }
    }

    /// A response cannot be finished: the client must see that it is not whole.
    fn cut_short(&mut self, failure: &Failure, transport: &Transport) {
        let Some(current) = &self.current else { return };
        tracing::error!(request = ?current.request, error = %format_args!("{failure:#}"), "a response was cut short");
        self.drop_client(transport);
    }

    pub(super) fn drop_client(&mut self, transport: &Transport) {
        self.give_up();
        self.is_closing = true;
        transport.abort_connection();
    }

    /// Answers what is no whole request, and closes.
    pub(super) fn answer_early(&mut self, status: StatusCode, transport: &Transport) {
        let mut page = error_page(status, None);
        if status == StatusCode::METHOD_NOT_ALLOWED {
            page = page.allowing(Methods::NONE); // but OPTIONS, no method is for `*` (R149)
        }
        let Content::Bytes(text) = &page.body().0 else {
            return;
        };
        let length = BodyLength::Known(text.len() as u64);
        let fields = page
            .headers()
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_bytes()));
        let date = self.site.heads.date(transport.reactor());
        let ours: [(&[u8], &[u8]); 2] = [(b"Date", &date.text), (b"Connection", b"close")];
        let code = status.as_u16();
        self.record_refusal(code, text.len(), transport);
        transport.write_with(|out| {
            let fields = fields.chain(ours);
            let sent = send_response_head(code, reason_phrase(code), fields, length, out);
            sent.expect("this page can be sent");
            out.extend_from_slice(text);
        });
        self.is_closing = true;
        transport.lose_connection();
    }

    /// The body of a request will not come as a whole.
    pub(super) fn break_off(
        &mut self,
        error: &BodyError,
        status: StatusCode,
        transport: &Transport,
    ) {
        let Some(current) = &mut self.current else {
            return;
        };
        current.fail_body(error.clone());
        current.wire.close();
        let is_unanswered = current.request.0.exchange.phase() == Phase::Unanswered;
        if is_unanswered {
            self.respond(&mut error_page(status, None), transport);
        }
        self.give_up();
        self.is_closing = true;
        transport.lose_connection();
    }
}

/// 503: there is too much to do.
fn overloaded(limits: &SiteLimits) -> Response {
    let mut response = error_page(StatusCode::SERVICE_UNAVAILABLE, None);
    let seconds = limits.retry_after.as_secs().max(1);
    response
        .headers_mut()
        .replace(Name::RetryAfter.into(), seconds.into());
    response
}

/// What will come of the body.
fn incoming(head: &RequestHead<'_>, transport: &Transport) -> Incoming {
    let length = match head.body() {
        BodyLength::Known(length) => Some(length),
        _ => None,
    };
    let transport = transport.clone();
    let poke = Rc::new(move || transport.call_soon(HttpServer::carry_out));
    Incoming::new(length, Some(poke))
}

/// Answers with a reply that comes later than the resource was asked.
pub(crate) fn deliver(reply: Reply, request: &Request) {
    match reply.0 {
        When::Now(response) => request.order(Order::Respond(response)),
        When::Future(future) => answer_from(future, request),
        When::Later => {}
    }
}

/// Answers with what a future gives, once it does.
fn answer_from(future: std::pin::Pin<Box<dyn Future<Output = Response>>>, request: &Request) {
    let task = request
        .reactor()
        .spawn(async { Ok::<_, Failure>(future.await) });
    request.0.exchange.set_task(task.canceller());
    let request = request.clone();
    task.on_result(move |result| match result {
        Ok(response) => request.order(Order::Respond(response)),
        Err(failure) if !request.is_abandoned() => {
            request.order(Order::Respond(failure.into_response()));
        }
        Err(_) => {}
    });
}

/// The whole content, if it is sent in one piece with its head.
fn small(content: &Content) -> Option<&[u8]> {
    match content {
        Content::Bytes(bytes) if bytes.len() <= COPIED_BYTES => Some(bytes),
        _ => None,
    }
}

fn length_of(content: &Content) -> BodyLength {
    match content {
        Content::Bytes(bytes) => BodyLength::Known(bytes.len() as u64),
        Content::Stream(source) => match source.size_hint().exact() {
            Some(length) => BodyLength::Known(length),
            None => BodyLength::Chunked,
        },
        Content::Joined(pieces) => BodyLength::Known(pieces.iter().map(Piece::len).sum()),
        Content::Pieces => BodyLength::Chunked,
    }
}
