//! The laws of the grammar of HTTP/1.1, on any bytes.
//!
//! For: the property tests beside this file and the fuzz targets, which include it. Not for: single rules.

use ropewalk_grammar::http1::{
    BodyLength, ClientExchange, Decoder, Event, Fields, Http1Error, Input, Message, Method, Name,
    Request, RequestDecoder, RequestHead, Response, ResponseDecoder, ResponseHead, ServerExchange,
    send_chunk, send_last_chunk, send_request_head, send_response_head,
};

use super::law::Plan;

/// What a decoder told, in a form that can be kept and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// What the first line and the fields say.
    Head(String),
    /// Neighbours are joined, as their borders mean nothing.
    Body(Vec<u8>),
    Trailers(String),
    End,
    Broken(Http1Error),
}

/// A head that can be written down.
pub(crate) trait Said: Message {
    fn said(head: &Self::Head<'_>) -> String;
}

impl Said for Request {
    fn said(head: &RequestHead<'_>) -> String {
        format!(
            "{} {:?} {} {:?} {:?} {:?} {} {:?} {:?}",
            head.method().as_str(),
            head.target(),
            head.version().as_str(),
            head.authority(),
            head.fields(),
            head.body(),
            head.is_persistent(),
            head.expect(),
            head.upgrade(),
        )
    }
}

impl Said for Response {
    fn said(head: &ResponseHead<'_>) -> String {
        format!(
            "{} {} {} {:?} {:?} {} {} {}",
            head.version().as_str(),
            head.status(),
            head.reason().escape_ascii(),
            head.fields(),
            head.body(),
            head.is_interim(),
            head.is_persistent(),
            head.is_switch(),
        )
    }
}

/// Feeds `data` as `plan` says, then the end of the stream; a request for another protocol is refused.
pub(crate) fn hear<M: Said>(
    decoder: &mut Decoder<M>,
    data: &[u8],
    plan: &Plan,
    mut after_end: impl FnMut(&mut Decoder<M>),
) -> Vec<Told> {
    let mut told = Vec::new();
    let mut sizes = plan.sizes.iter().cycle();
    let mut received = 0;
    while received < data.len() {
        let size = (*sizes.next().expect("a plan has sizes")).max(1);
        let end = received.saturating_add(size).min(data.len());
        let mut input = decoder.receive(&data[received..end]);
        hear_some(&mut input, plan.pause_after, &mut told, &mut after_end);
        received = end;
    }
    hear_some(&mut decoder.receive(&[]), 0, &mut told, &mut after_end);
    hear_some(&mut decoder.receive_eof(), 0, &mut told, &mut after_end);
    if let Some(Told::Broken(_)) = told.last() {
        let mut input = decoder.receive(b"GET / HTTP/1.1\r\n\r\n");
        assert!(input.next_event().is_none(), "an error is final");
        drop(input);
        assert_eq!(decoder.buffered(), 0);
    }
    told
}

fn hear_some<M: Said>(
    input: &mut Input<'_, M>,
    pause_after: usize,
    told: &mut Vec<Told>,
    after_end: &mut impl FnMut(&mut Decoder<M>),
) {
    let mut events = 0;
    while let Some(event) = input.next_event() {
        let is_end = matches!(event, Ok(Event::End));
        tell::<M>(event, told);
        if is_end {
            after_end(input.decoder());
        }
        events += 1;
        if events == pause_after {
            break;
        }
    }
}

fn tell<M: Said>(event: Result<Event<'_, M>, Http1Error>, told: &mut Vec<Told>) {
    let new = match event {
        Ok(Event::Head(head)) => Told::Head(M::said(&head)),
        Ok(Event::Body(more)) => {
            assert!(!more.is_empty(), "an empty piece of a body");
            if let Some(Told::Body(body)) = told.last_mut() {
                body.extend_from_slice(more);
                return;
            }
            Told::Body(more.to_vec())
        }
        Ok(Event::Trailers(trailers)) => Told::Trailers(format!("{trailers:?}")),
        Ok(Event::End) => Told::End,
        Err(error) => Told::Broken(error),
    };
    told.push(new);
}

/// All requests in `data`; whoever asks for another protocol is refused.
pub(crate) fn hear_requests(fresh: &RequestDecoder, data: &[u8], plan: &Plan) -> Vec<Told> {
    hear(&mut fresh.clone(), data, plan, Decoder::resume)
}

/// All responses in `data` to requests of `methods`, over and over, of which each third asks for another protocol.
pub(crate) fn hear_responses(
    fresh: &ResponseDecoder,
    methods: &[Method<'_>],
    data: &[u8],
    plan: &Plan,
) -> Vec<Told> {
    let mut decoder = fresh.clone();
    let mut requests = methods
        .iter()
        .cycle()
        .zip([true, false, false].into_iter().cycle());
    let mut ask = |decoder: &mut ResponseDecoder| {
        let (&method, upgrade) = requests.next().expect("there are methods");
        decoder.expect(method, upgrade);
    };
    ask(&mut decoder);
    hear(&mut decoder, data, plan, |decoder| {
        if !decoder.is_switched() {
            ask(decoder);
        }
    })
}

/// Law: any split and any pausing tell the same.
pub(crate) fn any_split_tells_the_same_requests(fresh: &RequestDecoder, data: &[u8], plan: &Plan) {
    let whole = hear_requests(fresh, data, &Plan::whole());
    let split = hear_requests(fresh, data, plan);
    assert_eq!(split, whole, "by {plan:?} of {}", data.escape_ascii());
}

/// Law: any split and any pausing tell the same.
pub(crate) fn any_split_tells_the_same_responses(
    fresh: &ResponseDecoder,
    methods: &[Method<'_>],
    data: &[u8],
    plan: &Plan,
) {
    let whole = hear_responses(fresh, methods, data, &Plan::whole());
    let split = hear_responses(fresh, methods, data, plan);
    assert_eq!(split, whole, "by {plan:?} of {}", data.escape_ascii());
}

/// Law: a request that was understood can be sent, and is then understood as the same.
pub(crate) fn what_is_understood_can_be_sent(data: &[u8]) {
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(data);
    let mut again = Vec::new();
    let mut said = None;
    while let Some(Ok(event)) = input.next_event() {
        match event {
            Event::Head(head) => {
                assert_eq!(Request::said(&head.keep().head()), Request::said(&head));
                said = Some((Request::said(&head), head.body()));
                let Some(sent) = resent(&head) else { return };
                again = sent;
            }
            Event::Body(data) => match said.as_ref().expect("a head came").1 {
                BodyLength::Chunked => send_chunk(data, &mut again),
                _ => again.extend_from_slice(data),
            },
            Event::Trailers(_) => {}
            Event::End => {
                if said.as_ref().expect("a head came").1 == BodyLength::Chunked {
                    send_last_chunk([(Name::Etag, ""); 0], &mut again).expect("it is right");
                }
                break;
            }
        }
    }
    if let (Some((said, _)), false) = (said, again.is_empty()) {
        let told = hear_requests(&RequestDecoder::new(), &again, &Plan::whole());
        let Some(Told::Head(heard)) = told.first() else {
            panic!("{told:?} of {}", again.escape_ascii())
        };
        let (said, heard) = (without_fields(&said), without_fields(heard));
        assert_eq!(heard, said, "{}", again.escape_ascii());
    }
}

/// The head, sent again: HTTP/1.0 and requests without `Host` cannot be.
fn resent(head: &RequestHead<'_>) -> Option<Vec<u8>> {
    let fields = others(head.fields());
    let mut out = Vec::new();
    let sent = send_request_head(
        head.method(),
        head.target_text(),
        fields,
        head.body(),
        &mut out,
    );
    let can_be = head.fields().values(Name::Host).count() == 1;
    assert_eq!(sent.is_ok(), can_be, "{sent:?} of {head:?}");
    let is_same = head.version().as_str() == "HTTP/1.1" && can_be;
    is_same.then_some(out)
}

/// All fields but those that are written for the sender.
fn others(fields: Fields<'_>) -> Vec<(&str, &[u8])> {
    let written = [Some(Name::ContentLength), Some(Name::TransferEncoding)];
    let others = fields
        .iter()
        .filter(|field| !written.contains(&field.known));
    others.map(|field| (field.name, field.value)).collect()
}

/// The fields are in brackets, and the length may be written anew: an empty body says so for POST.
fn without_fields(said: &str) -> String {
    let (before, rest) = said.split_once(" [").unwrap_or((said, ""));
    let after = rest.rsplit_once("] ").map_or("", |(_, after)| after);
    format!("{before} {}", after.replace("Empty", "Known(0)"))
}

/// Law: what one end sends, the other hears; what cannot be sent leaves no bytes.
pub(crate) fn sent_messages_are_heard(
    method: Method<'_>,
    target: &str,
    fields: &[(String, Vec<u8>)],
    pieces: &[Vec<u8>],
    plan: &Plan,
) {
    let mut asked = Vec::new();
    let mut responses = ResponseDecoder::new();
    let mut client = ClientExchange::new(method);
    let host = [("Host".to_owned(), b"example.com".to_vec())];
    let with_host = host.iter().chain(fields).map(|(name, value)| (name, value));
    let body = match pieces {
        [] => BodyLength::Empty,
        [whole] => BodyLength::Known(whole.len() as u64),
        _ => BodyLength::Chunked,
    };
    let body = if method == Method::Connect {
        BodyLength::Empty
    } else {
        body
    };
    if client
        .send_head(target, with_host, body, &mut responses, &mut asked)
        .is_err()
    {
        assert!(asked.is_empty(), "{}", asked.escape_ascii());
        return;
    }
    let pieces = if method == Method::Connect {
        &[]
    } else {
        pieces
    };
    for piece in pieces {
        client
            .send_body(piece, &mut asked)
            .expect("the body is as long as it is");
    }
    client
        .send_end(&mut asked)
        .expect("the body is as long as it is");
    let told = hear_requests(&RequestDecoder::new(), &asked, plan);
    let joined = pieces.concat();
    let heard: Vec<u8> = told.iter().filter_map(body_of).flatten().copied().collect();
    assert_eq!(heard, joined, "{told:?}");
    assert_eq!(
        told.last(),
        Some(&Told::End),
        "{told:?} of {}",
        asked.escape_ascii()
    );
    assert_eq!(
        told.iter()
            .filter(|told| matches!(told, Told::Head(_)))
            .count(),
        1
    );
    answer(
        &asked,
        method,
        &mut client,
        &mut responses,
        fields,
        pieces,
        plan,
    );
}

fn body_of(told: &Told) -> Option<&Vec<u8>> {
    match told {
        Told::Body(body) => Some(body),
        _ => None,
    }
}

/// Answers the request in `asked` by an echo, and hears that the client gets it, or not, as its method says.
fn answer(
    asked: &[u8],
    method: Method<'_>,
    client: &mut ClientExchange<'_>,
    responses: &mut ResponseDecoder,
    fields: &[(String, Vec<u8>)],
    pieces: &[Vec<u8>],
    plan: &Plan,
) {
    let mut requests = RequestDecoder::new();
    let mut input = requests.receive(asked);
    let Some(Ok(Event::Head(head))) = input.next_event() else {
        panic!("it was heard before")
    };
    let mut server = ServerExchange::new(&head);
    while let Some(event) = input.next_event() {
        server.received(&event.expect("it was heard before"));
    }
    let (mut out, named) = (Vec::new(), fields.iter().map(|(name, value)| (name, value)));
    server
        .send_head(200, "OK", named, BodyLength::Chunked, &mut out)
        .expect("what a request may say a response may say");
    if method != Method::Connect {
        for piece in pieces {
            server
                .send_body(piece, &mut out)
                .expect("chunks may have any length");
        }
        server.send_end(&mut out).expect("all is sent");
    }
    let mut heard = Vec::new();
    for chunk in out.chunks(plan.sizes[0].max(1)) {
        let mut input = responses.receive(chunk);
        while let Some(event) = input.next_event() {
            let event = event.expect("our own server says what is right");
            client.received(&event);
            if let Event::Body(data) = event {
                heard.extend_from_slice(data);
            }
        }
    }
    let seen = if method == Method::Head {
        Vec::new()
    } else {
        pieces.concat()
    };
    assert_eq!(heard, seen);
    assert_eq!(
        client.after(),
        server.after(),
        "both ends agree on what comes then"
    );
}

/// Law: a response that is sent is one, whatever it says; else nothing is sent.
pub(crate) fn a_sent_response_is_one(status: u16, reason: &str, name: &[u8], value: &[u8]) {
    let mut out = b"before".to_vec();
    let body = BodyLength::Known(0);
    match send_response_head(status, reason, [(name, value)], body, &mut out) {
        Err(_) => assert_eq!(out, b"before"),
        Ok(()) => {
            let data = &out[b"before".len()..];
            let told = hear_responses(
                &ResponseDecoder::new(),
                &[Method::Head],
                data,
                &Plan::whole(),
            );
            if status == 101 {
                return; // Nobody has asked for it, which the client says.
            }
            let [Told::Head(_), ..] = &told[..] else {
                panic!("{told:?} of {}", data.escape_ascii())
            };
            let crlfs = data.windows(2).filter(|pair| pair == b"\r\n").count();
            assert_eq!(crlfs, 4, "{}", data.escape_ascii());
        }
    }
}
