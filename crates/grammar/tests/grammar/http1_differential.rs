//! Our request parser against `httparse`, on heads made of what attackers make them of. Every difference has an explanation here.
//!
//! `httparse` reads heads only and leaves their meaning to hyper; so what is compared is the form: where a head ends, its
//! method, target, version and fields.

use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::http1::{Event, RequestDecoder, Rule};

/// A head, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Parsed {
    length: usize,
    method: String,
    target: String,
    minor: u8,
    fields: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome<E> {
    Whole(Parsed),
    Partial,
    Refused(E),
}

fn ours(data: &[u8]) -> Outcome<Rule> {
    let mut decoder = RequestDecoder::new();
    match decoder.receive(data).next_event() {
        None => Outcome::Partial,
        Some(Err(error)) => Outcome::Refused(error.rule()),
        Some(Ok(Event::Head(head))) => {
            let fields = head.fields().iter();
            Outcome::Whole(Parsed {
                length: head.as_bytes().len(),
                method: head.method().as_str().to_owned(),
                target: head.target_text().to_owned(),
                minor: head.version().as_str().as_bytes()[7] - b'0',
                fields: fields
                    .map(|field| (field.name.to_owned(), field.value.to_vec()))
                    .collect(),
            })
        }
        Some(Ok(other)) => panic!("{other:?}"),
    }
}

fn theirs(data: &[u8]) -> Outcome<httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(data) {
        Err(error) => Outcome::Refused(error),
        Ok(httparse::Status::Partial) => Outcome::Partial,
        Ok(httparse::Status::Complete(length)) => Outcome::Whole(Parsed {
            length,
            method: request.method.unwrap().to_owned(),
            target: request.path.unwrap().to_owned(),
            minor: request.version.unwrap(),
            fields: request
                .headers
                .iter()
                .map(|field| (field.name.to_owned(), field.value.to_vec()))
                .collect(),
        }),
    }
}

/// Why we refuse what `httparse` takes, or waits for the end of.
fn stricter(rule: Rule, data: &[u8]) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(data, part).is_some();
    match rule {
        // It skips any number of empty lines, and takes LF for a line's end.
        Rule::EmptyLines => data.starts_with(b"\r\n") || data.starts_with(b"\n"),
        Rule::BareLf => has(b"\n"),
        Rule::BareCr => has(b"\r"),
        Rule::Method => data.starts_with(b"\n") || data.starts_with(b"\r"),
        // It takes UTF-8 and `#` in targets; with an LF for a line's end, it has no version to wait for.
        Rule::Target => data.iter().any(|byte| !byte.is_ascii()) || has(b"#") || has(b"\n"),
        Rule::VersionText => has(b"\n") || has(b"\r"),
        // What a head means is hyper's business.
        Rule::TargetForm | Rule::AsteriskTarget | Rule::ConnectTarget | Rule::Authority => true,
        Rule::HostMissing | Rule::HostRepeated | Rule::Host => true,
        Rule::ContentLength | Rule::ContentLengthRepeated => true,
        Rule::TransferEncoding | Rule::TransferEncodingRepeated => true,
        Rule::LengthAndChunked
        | Rule::ChunkedInHttp10
        | Rule::LengthMissing
        | Rule::ConnectBody => true,
        _ => false,
    }
}

fn compare(data: &[u8]) {
    let (we, they) = (ours(data), theirs(data));
    let shown = data.escape_ascii();
    match (&we, &they) {
        (Outcome::Whole(a), Outcome::Whole(b)) => {
            // It counts the empty line that we pass over.
            let skipped = if data.starts_with(b"\r\n") { 2 } else { 0 };
            assert_eq!(a.length + skipped, b.length, "{shown}");
            assert_eq!(
                (&a.method, &a.target, a.minor),
                (&b.method, &b.target, b.minor),
                "{shown}"
            );
            assert_eq!(a.fields, b.fields, "{shown}");
        }
        (Outcome::Partial, Outcome::Partial) | (Outcome::Refused(_), Outcome::Refused(_)) => {}
        (Outcome::Refused(rule), _) => {
            assert!(stricter(*rule, data), "{rule:?} of {shown}: {they:?}");
        }
        // It judges each byte of a version; we wait for all, to tell a version that we lack from what is none.
        (Outcome::Partial, Outcome::Refused(httparse::Error::Version)) => {
            let whole = ours(&[data, b"\r\n\r\n"].concat());
            assert!(matches!(whole, Outcome::Refused(_)), "{shown}: {whole:?}");
        }
        (Outcome::Partial, Outcome::Whole(_)) => panic!("we wait for the end of {shown}"),
        (Outcome::Partial, Outcome::Refused(_)) | (Outcome::Whole(_), _) => {
            panic!("we are laxer on {shown}: {we:?}, {they:?}")
        }
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop::sample::select(vec![
        "GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
        "POST /a?b=c HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "\r\nOPTIONS * HTTP/1.1\r\nhost:a\r\nX:\t y z \t\r\nEmpty:\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://example.com/some/long/path?with=query HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=\"d\"; e=\u{e9}\r\n\r\n",
    ]);
    let odd = prop::sample::select(&b"\r\n\t \0\x0b\x7f\x80\xff:;,#?/*%+-\"(AZaz09"[..]);
    let change = (any::<prop::sample::Index>(), odd, 0..3u8);
    (
        seeds,
        vec(change, 0..3),
        any::<prop::sample::Index>(),
        0..8u8,
    )
        .prop_map(|(seed, changes, cut, whether)| {
            let mut data = seed.as_bytes().to_vec();
            for (place, byte, kind) in changes {
                let at = place.index(data.len());
                match kind {
                    0 => data[at] = byte,
                    1 => data.insert(at, byte),
                    _ => drop(data.remove(at)),
                }
            }
            if whether == 0 {
                data.truncate(cut.index(data.len() + 1));
            }
            data
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn p30_we_read_heads_as_httparse_does_or_refuse_them(data in mutated()) {
        compare(&data);
    }
}

#[test]
fn p30_every_single_byte_and_every_cut() {
    let seed = b"\r\nPOST /a?b HTTP/1.1\r\nHost: a\r\nX: \ty z\t \r\n\r\n";
    compare(seed);
    for at in 0..seed.len() {
        compare(&seed[..at]);
        for byte in 0..=255 {
            let mut data = seed.to_vec();
            data[at] = byte;
            compare(&data);
            data.insert(at, seed[at]);
            compare(&data);
        }
    }
}
