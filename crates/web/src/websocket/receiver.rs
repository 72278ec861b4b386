//! Messages on their way from the connection to a protocol.
//!
//! ```text
//!   data_received ─► Decoder ─► one event ─► handler ─► the next event …
//!                       ▲                      │ paused, full
//!   reading_resumed ────┴── what is left waits ◄
//! ```

use std::any::{Any, TypeId};
use std::fmt;
use std::rc::Rc;

use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::websocket::{Close, Decoder, Encoder, Event, Role, WebSocketError};

use super::ending::Ending;
use super::options::WebSocketOptions;
use super::protocol::WebSocketProtocol;
use super::shared::Shared;
use super::socket::WebSocket;
use super::terms::Terms;

/// Makes a [`Protocol`] of a [`WebSocketProtocol`], for a connection whose handshake is over.
///
/// A message that comes in one piece is unmasked where it lies in the driver's buffer and lent from there; an idle one owns
/// no buffer.
pub struct WebSocketReceiver<P> {
    protocol: P,
    decoder: Decoder,
    stage: Stage,
    silence: Silence,
}

enum Stage {
    Agreed(Box<Agreement>),
    Open(WebSocket),
    /// Between the two, while the protocol is told.
    Opening,
}

/// What the handshake came to.
pub(super) struct Agreement {
    pub(super) options: Rc<WebSocketOptions>,
    pub(super) terms: Option<Box<Terms>>,
    pub(super) encoder: Encoder,
    pub(super) is_deflated: bool,
    /// Whoever waits for the handle.
    pub(super) opened: Option<Opened>,
}

/// Is given the handle once it is there.
pub(super) type Opened = Box<dyn FnOnce(&WebSocket)>;

/// What is made of a peer that says nothing.
#[derive(Clone, Copy, PartialEq)]
enum Silence {
    /// It spoke not long ago.
    None,
    /// It is silent, but something was sent to it that it may still be reading.
    Long,
    /// A ping of the heartbeat is not answered yet.
    Asked,
}

/// What to do after an event.
#[derive(PartialEq)]
enum Then {
    GoOn,
    Stop,
}

impl<P: WebSocketProtocol> WebSocketReceiver<P> {
    pub(super) fn new(protocol: P, decoder: Decoder, agreement: Agreement) -> Self {
        Self {
            protocol,
            decoder,
            stage: Stage::Agreed(Box::new(agreement)),
            silence: Silence::None,
        }
    }

    fn open(&mut self, transport: &Transport) {
        let Stage::Agreed(agreement) = std::mem::replace(&mut self.stage, Stage::Opening) else {
            return;
        };
        let Agreement {
            options,
            terms,
            encoder,
            is_deflated,
            opened,
        } = *agreement;
        transport.set_silence_timeout(options.heartbeat);
        let shared = Shared::new(transport, &options, terms, encoder, is_deflated);
        let socket = WebSocket(Rc::new(shared));
        self.stage = Stage::Open(socket.clone());
        self.protocol.opened(&socket);
        if let Some(opened) = opened {
            opened(&socket);
        }
    }

    /// Delivers what can be delivered.
    #[inline]
    fn deliver(&mut self, data: &mut [u8]) {
        let Stage::Open(socket) = &self.stage else {
            return;
        };
        let mut input = self.decoder.receive(data);
        while !input.is_empty() && socket.0.transport.wants_data() {
            let then = match input.next_event() {
                None => break,
                Some(Ok(event)) => tell(&mut self.protocol, socket, event),
                Some(Err(error)) => refuse(socket, error),
            };
            if then == Then::Stop {
                break;
            }
        }
    }

    fn heard(&mut self, transport: &Transport) {
        if self.silence != Silence::None {
            self.silence = Silence::None;
            if let Stage::Open(socket) = &self.stage {
                transport.set_silence_timeout(socket.0.options.heartbeat);
            }
        }
    }

    fn tell(&mut self, tell: impl FnOnce(&mut P, &WebSocket)) {
        if let Stage::Open(socket) = &self.stage {
            tell(&mut self.protocol, socket);
        }
    }
}

/// Tells the protocol of one event.
#[inline]
fn tell<P: WebSocketProtocol>(protocol: &mut P, socket: &WebSocket, event: Event<'_>) -> Then {
    if let Event::Close(close) = event {
        socket.0.dismissed(close);
        protocol.close_received(socket, close);
        part(socket, close);
        return Then::Stop;
    }
    if socket.0.is_closing() {
        return Then::GoOn; // what comes behind our own close concerns nobody
    }
    match event {
        Event::Text(text) => protocol.text_received(socket, text),
        Event::Binary(data) => protocol.binary_received(socket, data),
        Event::Ping(data) => {
            // A peer that pings and does not read gets no heap of pongs: the next one answers for all (RFC 6455 5.5.3).
            if !socket.0.transport.is_full() {
                let _closed = socket.0.send_control(Event::Pong(data));
            }
            protocol.ping_received(socket, data);
        }
        Event::Pong(data) => protocol.pong_received(socket, data),
        Event::Close(_) => {}
    }
    Then::GoOn
}

/// Both have said goodbye: the server ends the connection, the client waits for that (RFC 6455 7.1.1).
///
/// The answer has the peer's code (R164) and not its words: those were for us, and what a peer wrote is not said in our name.
fn part(socket: &WebSocket, close: Close<'_>) {
    let shared = &socket.0;
    let reason = "";
    let code = close.code;
    shared.close_with(Close { code, reason });
    match shared.is_client() {
        true => shared.wait_for_end(),
        false => shared.transport.lose_connection(),
    }
}

/// The peer broke a rule: says which, and ends the connection (R165, WS-08).
#[cold]
fn refuse(socket: &WebSocket, error: WebSocketError) -> Then {
    let reason = error.rule().message();
    let code = Some(error.close_code());
    socket.0.close_with(Close { code, reason });
    socket.0.transport.reject(error);
    Then::Stop
}

impl<P: WebSocketProtocol> Protocol for WebSocketReceiver<P> {
    fn connection_made(&mut self, transport: &Transport) {
        self.open(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard(transport);
        self.deliver(&mut data.to_vec());
    }

    #[inline]
    fn data_received_in_place(&mut self, transport: &Transport, data: &mut [u8]) {
        self.heard(transport);
        self.deliver(data);
    }

    fn reading_resumed(&mut self, _: &Transport) {
        self.deliver(&mut []);
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.tell(|protocol, socket| {
            socket.0.is_writing_paused.set(true);
            protocol.writing_paused(socket);
        });
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.tell(|protocol, socket| {
            socket.0.is_writing_paused.set(false);
            socket.0.flush();
            protocol.writing_resumed(socket);
        });
    }

    /// Nothing came for a while: asks the peer whether it is there, or gives it up.
    ///
    /// A ping waits behind all that was sent before, here and in the kernel. So one that reads slowly is not asked until some
    /// time after it has read all that waits here, and is given up when it takes nothing any more; and one to which something
    /// was sent just now is asked a little later. One that we do not listen to could not answer.
    fn timed_out(&mut self, transport: &Transport) {
        let Stage::Open(socket) = &self.stage else {
            return transport.lose_after_timeout();
        };
        let options = &socket.0.options;
        let heartbeat = options.heartbeat.unwrap_or_default();
        let patience = match self.silence {
            Silence::Asked => options.dead_after,
            _ => heartbeat,
        };
        let (waits, quiet) = (transport.unsent_bytes() > 0, transport.quiet_for());
        let (silence, next) = match self.silence {
            _ if transport.is_reading_paused() => (Silence::None, heartbeat),
            _ if waits && quiet < patience => (Silence::None, heartbeat),
            Silence::None if !waits && quiet < heartbeat => (Silence::Long, heartbeat - quiet),
            Silence::None | Silence::Long if !waits => {
                let _closed = socket.0.send_control(Event::Ping(b""));
                (Silence::Asked, options.dead_after)
            }
            _ => return transport.abort_after_timeout(),
        };
        self.silence = silence;
        transport.set_silence_timeout(Some(next));
    }

    fn shutting_down(&mut self, _: &Transport) {
        self.tell(|protocol, socket| protocol.shutting_down(socket));
    }

    /// A WebSocket is in use until it is closed; how is the protocol's to say ([`WebSocketProtocol::shutting_down`]).
    fn is_idle(&mut self, _: &Transport) -> bool {
        false
    }

    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        let Stage::Open(socket) = &self.stage else {
            return;
        };
        socket.0.lost();
        let goodbye = socket.0.goodbye();
        let ending = Ending {
            goodbye: goodbye.as_deref(),
            is_clean: goodbye.is_some() && socket.0.is_closing(),
            reason,
        };
        self.protocol.connection_lost(socket, &ending);
    }

    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        if wanted == TypeId::of::<P>() {
            return Some(&mut self.protocol);
        }
        self.protocol.inner(wanted)
    }

    fn name(&self) -> &'static str {
        self.protocol.name()
    }
}

impl<P: WebSocketProtocol> fmt::Debug for WebSocketReceiver<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketReceiver")
            .field("protocol", &self.protocol.name())
            .field("decoder", &self.decoder)
            .finish_non_exhaustive()
    }
}

/// The decoder for what comes to `role`.
pub(super) fn decoder(
    role: Role,
    options: &WebSocketOptions,
    deflate: Option<ropewalk_grammar::websocket::DeflateAgreed>,
) -> Decoder {
    let decoder = Decoder::new(role).with_limit_bytes(options.limit_bytes);
    match deflate {
        Some(agreed) => decoder.with_deflate(agreed),
        None => decoder,
    }
}

/// `encoder`, compressing what was agreed on.
pub(super) fn deflating(
    encoder: Encoder,
    options: &WebSocketOptions,
    agreed: Option<ropewalk_grammar::websocket::DeflateAgreed>,
) -> Encoder {
    match (agreed, &options.deflate) {
        (Some(agreed), Some(deflate)) => encoder.with_deflate(agreed, deflate),
        _ => encoder,
    }
}
