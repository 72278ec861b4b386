//! A connection on which we ask for a WebSocket.

use std::rc::Rc;

use ropewalk_core::timer::DelayedCall;
use ropewalk_core::{Protocol, Reason, Resolver, Transport};
use ropewalk_grammar::http1::{
    AfterExchange, BodyLength, ClientExchange, Event, Input, Method, Response, ResponseDecoder,
};
use ropewalk_grammar::websocket::{Agreed, ClientHandshake, Encoder, Role};

use super::client::Request;
use super::connect_error::{MOST_BODY_BYTES, Refused, WebSocketConnectError};
use super::protocol::WebSocketProtocol;
use super::receiver::{Agreement, Opened, WebSocketReceiver, decoder, deflating};
use super::socket::WebSocket;

/// Sends the request, reads the answer, and becomes a WebSocket or fails.
pub(super) struct Asking<P> {
    request: Rc<Request>,
    protocol: Option<P>,
    wanted: Option<Rc<Resolver<WebSocket>>>,
    handshake: Option<ClientHandshake>,
    exchange: ClientExchange<'static>,
    decoder: ResponseDecoder,
    agreed: Option<Agreed>,
    refused: Refused,
    deadline: Option<DelayedCall>,
}

impl<P: WebSocketProtocol> Asking<P> {
    pub(super) fn new(
        request: &Rc<Request>,
        protocol: P,
        wanted: Option<Rc<Resolver<WebSocket>>>,
    ) -> Self {
        Self {
            request: Rc::clone(request),
            protocol: Some(protocol),
            wanted,
            handshake: None,
            exchange: ClientExchange::new(Method::Get),
            decoder: ResponseDecoder::new(),
            agreed: None,
            refused: Refused::default(),
            deadline: None,
        }
    }

    fn ask(&mut self, transport: &Transport) {
        let handshake = self.request.handshake(transport.reactor().random_bytes());
        let fields = self.request.fields(&handshake);
        let (exchange, decoder) = (&mut self.exchange, &mut self.decoder);
        let target = self.request.url.target();
        let sent = transport.write_with(|out| {
            exchange.send_head(target, fields, BodyLength::Empty, decoder, out)?;
            exchange.send_end(out)
        });
        self.handshake = Some(handshake);
        if let Err(error) = sent {
            self.fail(transport, WebSocketConnectError::Request(error));
        }
    }

    fn forget_deadline(&mut self) {
        if let Some(deadline) = self.deadline.take() {
            let _it_may_have_run = deadline.cancel();
        }
    }

    fn fail(&mut self, transport: &Transport, error: WebSocketConnectError) {
        match self.wanted.take() {
            Some(wanted) => drop(wanted.fail(ropewalk_core::Failure::new(error))),
            None => {
                tracing::warn!(url = %self.request.url, %error, "a WebSocket could not be had");
            }
        }
        transport.lose_connection();
    }

    /// Takes note of an event; an error ends it all.
    fn hear(&mut self, event: &Event<'_, Response>) -> Result<(), WebSocketConnectError> {
        self.exchange.received(event);
        match event {
            Event::Head(head) if head.is_interim() => {}
            Event::Head(head) if head.is_switch() => {
                let handshake = self.handshake.as_ref();
                let agreed = handshake.map(|handshake| handshake.agreed(head));
                self.agreed = agreed.transpose().map_err(WebSocketConnectError::Answer)?;
            }
            Event::Head(head) => {
                let fields = head.fields();
                let kept = fields
                    .iter()
                    .map(|field| (field.name.to_owned(), field.value.to_vec()));
                self.refused.fields = kept.collect();
                self.refused.status = head.status();
            }
            Event::Body(data) => {
                let room = MOST_BODY_BYTES - self.refused.body.len();
                self.refused
                    .body
                    .extend_from_slice(&data[..data.len().min(room)]);
                if data.len() >= room {
                    return Err(self.refusal());
                }
            }
            Event::Trailers(_) => {}
            Event::End if self.agreed.is_none() => return Err(self.refusal()),
            Event::End => {}
        }
        Ok(())
    }

    fn refusal(&mut self) -> WebSocketConnectError {
        WebSocketConnectError::Refused(Box::new(std::mem::take(&mut self.refused)))
    }

    fn read(&mut self, transport: &Transport, data: &[u8], is_end: bool) {
        let mut decoder = std::mem::take(&mut self.decoder);
        let input = match is_end {
            false => decoder.receive(data),
            true => decoder.receive_eof(),
        };
        let read = self.read_events(input);
        self.decoder = decoder;
        match read {
            Ok(None) => {}
            Ok(Some(unread)) => self.become_open(transport, unread),
            Err(error) => self.fail(transport, error),
        }
    }

    /// Gives the bytes behind the answer, once it is there.
    fn read_events(
        &mut self,
        mut input: Input<'_, Response>,
    ) -> Result<Option<Vec<u8>>, WebSocketConnectError> {
        while let Some(event) = input.next_event() {
            let event = event.map_err(WebSocketConnectError::Http)?;
            self.hear(&event)?;
            if self.exchange.after() == AfterExchange::Switch {
                return Ok(Some(input.take_rest()));
            }
        }
        Ok(None)
    }

    fn become_open(&mut self, transport: &Transport, unread: Vec<u8>) {
        let (Some(agreed), Some(protocol)) = (self.agreed.take(), self.protocol.take()) else {
            return;
        };
        self.forget_deadline();
        let options = &self.request.options;
        let secret = transport.reactor().random_bytes();
        let wanted = self.wanted.take();
        let opened = wanted.map(|wanted| {
            Box::new(move |socket: &WebSocket| {
                if wanted.resolve(socket.clone()).is_err() {
                    let gone = ropewalk_grammar::websocket::CloseCode::GOING_AWAY;
                    socket.close(gone, "nobody waits for it any more");
                }
            }) as Opened
        });
        let agreement = Agreement {
            options: Rc::clone(options),
            subprotocol: agreed.protocol.map(Into::into),
            encoder: deflating(Encoder::client(secret), options, agreed.deflate),
            is_deflated: agreed.deflate.is_some(),
            opened,
        };
        let decoder = decoder(Role::Client, options, agreed.deflate);
        transport.switch_protocol(WebSocketReceiver::new(protocol, decoder, agreement), unread);
    }
}

impl<P: WebSocketProtocol> Protocol for Asking<P> {
    fn connection_made(&mut self, transport: &Transport) {
        self.ask(transport);
        let timeout = self.request.options.handshake_timeout;
        let deadline = transport.call_later(timeout, move |this: &mut Self, transport| {
            this.fail(transport, WebSocketConnectError::TimedOut(timeout));
        });
        self.deadline = Some(deadline);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.read(transport, data, false);
    }

    fn eof_received(&mut self, transport: &Transport) {
        self.read(transport, &[], true);
        transport.lose_connection();
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.forget_deadline();
        if self.wanted.is_some() {
            self.fail(transport, WebSocketConnectError::lost(reason));
        }
    }

    fn name(&self) -> &'static str {
        "WebSocketRequest"
    }
}
