//! Asking for a WebSocket, and what becomes of the answer.
//!
//! ```text
//!   request, by the agent ─► 101 ─► what was agreed on ─► switch_protocol ─► opened
//!                          └ any other: a refusal, with as much of its body as is kept
//! ```

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{Deferred, Handle};
use ropewalk_grammar::websocket::{Agreed, ClientHandshake, CloseCode, Encoder, Role};

use super::client::WebSocketClient;
use super::connect_error::{MOST_BODY_BYTES, Refused, WebSocketConnectError};
use super::protocol::WebSocketProtocol;
use super::receiver::{Agreement, Opened, WebSocketReceiver, decoder, deflating};
use super::socket::WebSocket;
use super::terms::Terms;
use crate::client::{Agent, ClientResponse, Upgraded};
use crate::headers::Headers;

/// Asks once. `told` hears of the WebSocket at once, when it is open; dropped before it is given, it is closed.
pub(super) async fn ask<P: WebSocketProtocol>(
    client: &WebSocketClient,
    agent: &Agent,
    protocol: P,
    told: impl FnOnce(&WebSocket) + 'static,
) -> Result<WebSocket, WebSocketConnectError> {
    let handshake: Rc<RefCell<Option<ClientHandshake>>> = Rc::default();
    let request = client.request(agent, prepare(client, agent, &handshake));
    let mut response = request.await.map_err(WebSocketConnectError::Request)?;
    let Some(upgraded) = response.take_upgraded() else {
        let patience = client.options.handshake_timeout;
        return Err(refused(&response, agent.reactor(), patience).await);
    };
    let handshake = handshake.take().expect("the request was sent");
    let agreed = handshake
        .agreed(&response.head())
        .map_err(WebSocketConnectError::Answer)?;
    let unclaimed = Unclaimed::default();
    let kept = Rc::clone(&unclaimed.0);
    let told = move |socket: &WebSocket| {
        told(socket);
        *kept.borrow_mut() = Some(socket.clone());
    };
    let socket = open(client, upgraded, agreed, protocol, told).await?;
    drop(unclaimed.0.take());
    Ok(socket)
}

/// A WebSocket that is open, and that nobody has got yet.
#[derive(Default)]
struct Unclaimed(Rc<RefCell<Option<WebSocket>>>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(socket) = self.0.take() {
            socket.close(CloseCode::GOING_AWAY, "nobody waits for it any more");
        }
    }
}

/// What makes a handshake each time that the request is sent.
fn prepare(
    client: &WebSocketClient,
    agent: &Agent,
    handshake: &Rc<RefCell<Option<ClientHandshake>>>,
) -> impl Fn(&mut Headers) + 'static {
    let (client, reactor) = (client.clone(), agent.reactor().clone());
    let handshake = Rc::clone(handshake);
    move |headers| {
        let new = client.handshake(reactor.random_bytes());
        for (name, value) in new.fields() {
            let set = headers.set(name, value);
            set.expect("the values of a handshake are tokens");
        }
        *handshake.borrow_mut() = Some(new);
    }
}

/// Gives the connection to the protocol.
async fn open<P: WebSocketProtocol>(
    client: &WebSocketClient,
    upgraded: Upgraded,
    agreed: Agreed,
    protocol: P,
    told: impl FnOnce(&WebSocket) + 'static,
) -> Result<WebSocket, WebSocketConnectError> {
    let transport = upgraded.transport().clone();
    let options = &client.options;
    let secret = transport.reactor().random_bytes();
    let (opened, wanted) = Deferred::new(transport.reactor());
    let told: Opened = Box::new(move |socket| match wanted.is_wanted() {
        true => {
            told(socket);
            let _wanted_a_moment_ago = wanted.resolve(socket.clone());
        }
        false => socket.close(CloseCode::GOING_AWAY, "nobody waits for it any more"),
    });
    let agreement = Agreement {
        options: Rc::clone(options),
        terms: Terms::of(agreed.protocol, &agreed.extensions),
        encoder: deflating(Encoder::client(secret), options, agreed.deflate),
        is_deflated: agreed.deflate.is_some(),
        opened: Some(told),
    };
    let decoder = decoder(Role::Client, options, agreed.deflate);
    upgraded.switch_protocol(WebSocketReceiver::new(protocol, decoder, agreement));
    let lost = |_| WebSocketConnectError::Lost(transport.peer().to_string());
    opened.await.map_err(lost)
}

/// Reads what a server says that refuses, as far as it is kept and comes in time.
async fn refused(
    response: &ClientResponse,
    reactor: &Handle,
    patience: Duration,
) -> WebSocketConnectError {
    let fields = response.fields();
    let kept = fields
        .iter()
        .map(|field| (field.name.to_owned(), field.value.to_vec()));
    let mut refused = Refused {
        status: response.status().as_u16(),
        fields: kept.collect(),
        body: Vec::new(),
    };
    let mut body = response.body();
    let mut late = pin!(sleep(reactor, patience));
    while refused.body.len() < MOST_BODY_BYTES {
        let mut chunk = pin!(body.chunk());
        let chunk = poll_fn(|context| match late.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => chunk
                .as_mut()
                .poll(context)
                .map(|chunk| chunk.ok().flatten()),
        });
        let Some(chunk) = chunk.await else {
            break;
        };
        let room = MOST_BODY_BYTES - refused.body.len();
        refused
            .body
            .extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    WebSocketConnectError::Refused(Box::new(refused))
}
