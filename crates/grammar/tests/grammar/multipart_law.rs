//! The laws of multipart bodies, on any bytes.
//!
//! For: the property tests beside this file and the fuzz targets, which include it. Not for: single rules.

use ropewalk_grammar::multipart::{
    Boundary, MultipartDecoder, MultipartEncoder, MultipartEvent, Part,
};
use ropewalk_grammar::{Framing, Input};

use super::law::{self, Plan, Told};

pub(crate) fn boundary() -> Boundary {
    Boundary::new("b").expect("it is one")
}

/// What a decoder tells; heads as they can be compared, with all that can be asked of them.
pub(crate) fn hear(decoder: &MultipartDecoder, data: &[u8], plan: &Plan) -> Vec<Told> {
    let mut decoder = decoder.clone();
    let mut told = law::hear(&mut decoder, data, plan, pull);
    if let Err(error) = decoder.finish()
        && !matches!(told.last(), Some(Told::Broken(_)))
    {
        told.push(Told::Broken(format!("{error:?}")));
    }
    told
}

fn pull(input: &mut Input<'_, MultipartDecoder>) -> Option<Told> {
    Some(match input.next_event()? {
        Ok(MultipartEvent::Part(head)) => Told::Message(
            format!(
                "part {:?} {:?} {:?} {head:?}",
                head.name(),
                head.filename(),
                head.content_type()
            )
            .into(),
        ),
        Ok(MultipartEvent::Data(data)) => Told::Raw(data.to_vec()),
        Ok(event) => Told::Message(format!("{event:?}").into()),
        Err(error) => Told::Broken(format!("{error:?}")),
    })
}

pub(crate) fn any_split_tells_the_same_parts(decoder: &MultipartDecoder, data: &[u8], plan: &Plan) {
    assert_eq!(
        hear(decoder, data, plan),
        hear(decoder, data, &Plan::whole())
    );
}

/// What was understood and is said again is understood as the same.
pub(crate) fn what_is_understood_can_be_sent(decoder: &MultipartDecoder, data: &[u8]) {
    let (mut hearing, mut out) = (decoder.clone(), Vec::new());
    let mut input = hearing.receive(data);
    while let Some(Ok(event)) = input.next_event() {
        decoder.send(event, &mut out).expect("it came like that");
    }
    drop(input);
    if hearing.finish().is_ok() {
        let whole = Plan::whole();
        assert_eq!(hear(decoder, &out, &whole), hear(decoder, data, &whole));
    }
}

/// Parts that can be sent come as they are; names with `%22` in them aside, which browsers cannot write either.
pub(crate) fn sent_parts_are_received(names: &[String], contents: &[Vec<u8>], plan: &Plan) {
    let boundary = Boundary::of_random(*b"0123456789abcdef");
    let encoder = MultipartEncoder::new(boundary.clone());
    let (mut body, mut sent) = (Vec::new(), Vec::new());
    for (name, content) in names.iter().zip(contents) {
        let part = Part::new(name).filename(name).content_type("text/plain");
        let before = body.len();
        if encoder.send_part(&part, &mut body).is_err() {
            assert_eq!(body.len(), before);
            continue;
        }
        body.extend_from_slice(content);
        encoder.send_part_end(&mut body);
        let plain = name.replace('\r', "%0D").replace('\n', "%0A");
        sent.push((plain.replace("%22", "\""), content.clone()));
    }
    encoder.send_end(&mut body);
    let mut decoder = MultipartDecoder::form(boundary);
    assert_eq!(received(&mut decoder, &body, plan), sent);
    decoder.finish().expect("it is whole");
}

fn received(decoder: &mut MultipartDecoder, body: &[u8], plan: &Plan) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    law::hear(decoder, body, plan, |input| {
        match input.next_event()?.expect("it was sent by us") {
            MultipartEvent::Part(head) => {
                let name = head.name().expect("it has one").into_owned();
                parts.push((name, Vec::new()));
            }
            MultipartEvent::Data(data) => {
                parts.last_mut().expect("a head came first").1.extend(data);
            }
            MultipartEvent::PartEnd | MultipartEvent::End => {}
        }
        Some(Told::Raw(Vec::new()))
    });
    parts
}
