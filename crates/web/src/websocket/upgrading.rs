//! A connection on which a WebSocket is asked for, where no other HTTP is spoken.

use http::HeaderValue;
use ropewalk_core::timer::DelayedCall;
use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::http1::{
    BodyLength, Event, Http1Error, KeptHead, Method, Name, Request, RequestDecoder, ServerExchange,
    reason_phrase, send_response_head,
};

use super::protocol::WebSocketProtocol;
use super::refusal::Refusal;
use super::server::WebSocketServer;

/// Reads one request, and becomes a WebSocket or refuses and closes.
pub(super) struct Upgrading<P: WebSocketProtocol> {
    server: WebSocketServer<P>,
    decoder: RequestDecoder,
    asked: Option<(KeptHead<Request>, ServerExchange)>,
    deadline: Option<DelayedCall>,
}

/// A request with content is refused anyway; so much of it is read before.
const MOST_CONTENT_BYTES: u64 = 64 * 1024;

impl<P: WebSocketProtocol> Upgrading<P> {
    pub(super) fn new(server: WebSocketServer<P>) -> Self {
        Self {
            server,
            decoder: RequestDecoder::new(),
            asked: None,
            deadline: None,
        }
    }

    fn answer(&mut self, transport: &Transport, unread: Vec<u8>) {
        self.forget_deadline();
        let Some((head, exchange)) = &mut self.asked else {
            return;
        };
        let upgrade = match self.server.upgrade(&head.head()) {
            Ok(upgrade) => upgrade,
            Err(refusal) if head.head().method() == Method::Head => {
                return refuse_to(transport, &refusal, false);
            }
            Err(refusal) => return refuse(transport, &refusal),
        };
        let sent = transport.write_with(|out| exchange.send_switch(upgrade.fields, out));
        match sent {
            Ok(()) => transport.switch_protocol(upgrade.protocol, unread),
            Err(error) => transport.reject(error),
        }
    }

    fn forget_deadline(&mut self) {
        if let Some(deadline) = self.deadline.take() {
            let _it_may_have_run = deadline.cancel();
        }
    }

    fn refuse_malformed(transport: &Transport, error: &Http1Error) {
        let status = error.status();
        refuse(transport, &Refusal::new(status, error.to_string()));
    }
}

/// Answers, and closes.
fn refuse(transport: &Transport, refusal: &Refusal) {
    refuse_to(transport, refusal, true);
}

/// The same, with the text or, to HEAD, only with its length (RFC 9110 9.3.2).
fn refuse_to(transport: &Transport, refusal: &Refusal, has_text: bool) {
    let status = refusal.status();
    tracing::debug!(peer = %transport.peer(), status, why = refusal.text(), "a WebSocket was refused");
    let text = format!("{}\n", refusal.text());
    let mut headers = refusal.headers().clone();
    for written_here in [Name::ContentLength, Name::TransferEncoding] {
        headers.remove(written_here);
    }
    if !headers.contains(Name::ContentType) {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.replace(Name::ContentType.into(), plain);
    }
    let connection = match headers.contains(Name::Upgrade) {
        true => "close, upgrade", // RFC 9110 7.8
        false => "close",
    };
    headers.replace(
        Name::Connection.into(),
        HeaderValue::from_static(connection),
    );
    let length = BodyLength::Known(text.len() as u64);
    transport.write_with(|out| {
        let sent = send_response_head(status, reason_phrase(status), headers.iter(), length, out);
        if sent.is_ok() && has_text {
            out.extend_from_slice(text.as_bytes());
        }
    });
    transport.lose_connection();
}

impl<P: WebSocketProtocol> Protocol for Upgrading<P> {
    fn connection_made(&mut self, transport: &Transport) {
        let timeout = self.server.options().handshake_timeout;
        let deadline = transport.call_later(timeout, |_: &mut Self, transport| {
            refuse(transport, &Refusal::new(408, "the request took too long"));
        });
        self.deadline = Some(deadline);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut input = self.decoder.receive(data);
        while let Some(event) = input.next_event() {
            match event {
                Err(error) => return Self::refuse_malformed(transport, &error),
                Ok(Event::Head(head)) => {
                    let exchange = ServerExchange::new(&head);
                    if matches!(head.body(), BodyLength::Known(length) if length > MOST_CONTENT_BYTES)
                        || head.body() == BodyLength::Chunked
                    {
                        let rule = ropewalk_grammar::websocket::HandshakeRule::Content;
                        return refuse(transport, &rule.into());
                    }
                    self.asked = Some((head.keep(), exchange));
                }
                Ok(event) => {
                    if let Some((_, exchange)) = &mut self.asked {
                        exchange.received(&event);
                    }
                    if let Event::End = event {
                        let unread = input.take_rest();
                        return self.answer(transport, unread);
                    }
                }
            }
        }
    }

    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        self.forget_deadline();
    }

    fn is_idle(&mut self, _: &Transport) -> bool {
        self.decoder.is_idle()
    }

    fn name(&self) -> &'static str {
        "WebSocketUpgrade"
    }
}
