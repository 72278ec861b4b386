//! The laws of the grammar of WebSocket, on any bytes.
//!
//! For: the property tests beside this file and the fuzz targets, which include it. Not for: single rules.

use ropewalk_grammar::websocket::{
    Close, CloseCode, Decoder, Encoder, Event, Kind, Role, WebSocketError,
};

use super::law::Plan;

/// What a decoder told, in a form that can be kept and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseCode>, String),
    Broken(WebSocketError),
}

impl Told {
    fn of(event: Result<Event<'_>, WebSocketError>) -> Self {
        match event {
            Ok(Event::Text(text)) => Self::Text(text.to_owned()),
            Ok(Event::Binary(data)) => Self::Binary(data.to_vec()),
            Ok(Event::Ping(data)) => Self::Ping(data.to_vec()),
            Ok(Event::Pong(data)) => Self::Pong(data.to_vec()),
            Ok(Event::Close(Close { code, reason })) => Self::Close(code, reason.to_owned()),
            Err(error) => Self::Broken(error),
        }
    }

    /// As it can be sent again.
    fn event(&self) -> Option<Event<'_>> {
        Some(match self {
            Self::Text(text) => Event::Text(text),
            Self::Binary(data) => Event::Binary(data),
            Self::Ping(data) => Event::Ping(data),
            Self::Pong(data) => Event::Pong(data),
            Self::Close(code, reason) => Event::Close(Close {
                code: *code,
                reason,
            }),
            Self::Broken(_) => return None,
        })
    }
}

/// Feeds `data` as `plan` says.
pub(crate) fn hear(mut decoder: Decoder, data: &[u8], plan: &Plan) -> Vec<Told> {
    let mut told = Vec::new();
    let mut sizes = plan.sizes.iter().cycle();
    let mut received = 0;
    while received < data.len() {
        let size = (*sizes.next().expect("a plan has sizes")).max(1);
        let end = received.saturating_add(size).min(data.len());
        let mut chunk = data[received..end].to_vec();
        hear_some(&mut decoder, &mut chunk, plan.pause_after, &mut told);
        received = end;
    }
    hear_some(&mut decoder, &mut [], 0, &mut told);
    if let Some(Told::Broken(_) | Told::Close(..)) = told.last() {
        assert!(decoder.is_closed());
        let mut more = *b"\x81\x80\0\0\0\0";
        assert!(
            decoder.receive(&mut more).next_event().is_none(),
            "the end is final"
        );
        assert_eq!(decoder.buffered(), 0);
    }
    told
}

fn hear_some(decoder: &mut Decoder, chunk: &mut [u8], pause_after: usize, told: &mut Vec<Told>) {
    let mut input = decoder.receive(chunk);
    let mut events = 0;
    while let Some(event) = input.next_event() {
        told.push(Told::of(event));
        events += 1;
        if events == pause_after {
            break;
        }
    }
}

/// Law: any split and any pausing tell the same.
pub(crate) fn any_split_tells_the_same(fresh: &dyn Fn() -> Decoder, data: &[u8], plan: &Plan) {
    let whole = hear(fresh(), data, &Plan::whole());
    let split = hear(fresh(), data, plan);
    assert_eq!(split, whole, "by {plan:?} of {}", data.escape_ascii());
}

/// Law: what was heard can be said, and is then heard as the same.
pub(crate) fn what_is_heard_can_be_said(fresh: &dyn Fn() -> Decoder, data: &[u8], plan: &Plan) {
    let heard = hear(fresh(), data, plan);
    let said: Vec<Told> = heard
        .iter()
        .filter(|told| told.event().is_some())
        .cloned()
        .collect();
    let mut wire = Vec::new();
    let mut encoder = Encoder::client([7; 16]);
    for event in said.iter().filter_map(Told::event) {
        encoder
            .send(event, &mut wire)
            .expect("it was heard, so it can be said");
    }
    let decoder = Decoder::new(Role::Server).with_limit_bytes(usize::MAX);
    assert_eq!(hear(decoder, &wire, plan), said);
}

/// Law: messages sent by `encoder`, every third in fragments with a ping between, are heard by `decoder`.
pub(crate) fn sent_messages_are_heard(
    mut encoder: Encoder,
    decoder: Decoder,
    messages: &[Vec<u8>],
    plan: &Plan,
) {
    let (mut wire, mut said) = (Vec::new(), Vec::new());
    for (index, message) in messages.iter().enumerate() {
        let text = String::from_utf8(message.clone())
            .ok()
            .filter(|_| index % 2 == 0);
        let kind = text.as_ref().map_or(Kind::Binary, |_| Kind::Text);
        if index % 3 == 2 {
            let (first, rest) = message.split_at(message.len() / 2);
            let ping = &message[..message.len().min(125)];
            encoder.begin(kind, first, &mut wire).expect("it may begin");
            encoder
                .send(Event::Ping(ping), &mut wire)
                .expect("a ping may come between");
            assert!(encoder.send(Event::Binary(b""), &mut wire).is_err());
            for (fragment, is_last) in [(&b""[..], false), (rest, index % 2 == 0), (b"", true)] {
                if encoder.is_in_message() {
                    let sent = encoder.send_fragment(fragment, is_last, &mut wire);
                    sent.expect("it goes on");
                }
            }
            said.push(Told::Ping(ping.to_vec()));
        } else {
            let event = text
                .as_ref()
                .map_or(Event::Binary(message), |text| Event::Text(text));
            encoder.send(event, &mut wire).expect("it may be sent");
        }
        said.push(match text {
            Some(text) => Told::Text(text),
            None => Told::Binary(message.clone()),
        });
    }
    assert_eq!(hear(decoder, &wire, plan), said);
}
