//! The rules of multipart bodies, one by one.

use ropewalk_grammar::multipart::{
    Boundary, BoundaryError, Limits, MultipartDecoder, MultipartEvent, Rule,
};
use ropewalk_grammar::{Framing, Input};

fn form() -> MultipartDecoder {
    MultipartDecoder::form(Boundary::new("b").unwrap())
}

/// Name, filename, type and content.
type Part = (Option<String>, Option<String>, Option<String>, Vec<u8>);

fn read(mut decoder: MultipartDecoder, body: &[u8]) -> Result<Vec<Part>, (Rule, u64)> {
    let (mut parts, mut input) = (Vec::new(), decoder.receive(body));
    while let Some(part) = read_part(&mut input).transpose() {
        parts.push(part?);
    }
    drop(input);
    let broken = decoder
        .finish()
        .map_err(|error| (error.rule(), error.offset()));
    broken.map(|()| parts)
}

fn read_part(input: &mut Input<'_, MultipartDecoder>) -> Result<Option<Part>, (Rule, u64)> {
    let mut part = None;
    while let Some(event) = input.next_event() {
        match event.map_err(|error| (error.rule(), error.offset()))? {
            MultipartEvent::Part(head) => {
                part = Some((
                    head.name().map(String::from),
                    head.filename().map(String::from),
                    head.content_type().map(String::from),
                    Vec::new(),
                ));
            }
            MultipartEvent::Data(data) => part.as_mut().unwrap().3.extend(data),
            MultipartEvent::PartEnd => return Ok(part),
            MultipartEvent::End => {}
        }
    }
    Ok(None)
}

fn body(fields: &str) -> Vec<u8> {
    format!("--b\r\n{fields}\r\n\r\nx\r\n--b--\r\n").into_bytes()
}

fn filename_of(parameters: &str) -> Result<Option<String>, Rule> {
    let fields = format!("Content-Disposition: form-data; name=a; {parameters}");
    let parts = read(form(), &body(&fields)).map_err(|(rule, _)| rule)?;
    Ok(parts[0].1.clone())
}

#[test]
fn r140_fields_and_files_of_a_form_are_read() {
    let body = b"--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\n\r\n--b\r\n\
        content-disposition: FORM-DATA ; filename=\"a.txt\" ;name=file\r\nContent-Type: text/plain\r\nX: y\r\n\r\n\
        a\r\nb\r\n--\r\n--B\r\n\r\n--b--\r\n";
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        read(form(), body).unwrap(),
        [
            (text("text"), None, None, vec![]),
            (
                text("file"),
                text("a.txt"),
                text("text/plain"),
                b"a\r\nb\r\n--\r\n--B\r\n".to_vec()
            ),
        ]
    );
}

#[test]
fn a_body_may_have_no_parts_and_no_last_line_end_and_a_first_one() {
    for body in ["--b--", "--b--\r\n", "\r\n--b--\r\n"] {
        assert_eq!(read(form(), body.as_bytes()), Ok(vec![]), "{body:?}");
    }
}

#[test]
fn a_boundary_where_content_begins_ends_an_empty_part() {
    let body = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n--b--";
    assert_eq!(read(form(), body).unwrap()[0].3, b"");
}

#[test]
fn h1_24_each_rule_is_found_where_it_is_broken() {
    let named = "Content-Disposition: form-data; name=a";
    let whole = |fields: &str| String::from_utf8(body(fields)).unwrap();
    let table = [
        ("preamble\r\n--b--".to_owned(), Rule::Preamble, 0),
        ("\r\n\r\n--b--".to_owned(), Rule::Preamble, 2),
        ("--c--".to_owned(), Rule::Preamble, 2),
        (String::new(), Rule::Truncated, 0),
        ("--b".to_owned(), Rule::Truncated, 3),
        ("--b \r\n".to_owned(), Rule::AfterBoundary, 3),
        ("--b\n".to_owned(), Rule::AfterBoundary, 3),
        ("--b-\r\n".to_owned(), Rule::AfterBoundary, 4),
        ("--b--x".to_owned(), Rule::Epilogue, 5),
        ("--b--\r\n\r\n".to_owned(), Rule::Epilogue, 7),
        ("--b--\r".to_owned(), Rule::Epilogue, 6),
        (whole("Odd Name: x"), Rule::Field, 8),
        (whole("no-colon"), Rule::Field, 13),
        (whole(": x"), Rule::Field, 5),
        (whole("A: x\r\n folded"), Rule::Field, 11),
        (whole("A: x\ny"), Rule::Field, 9),
        (whole("A: \0"), Rule::Field, 8),
        (whole("A: x"), Rule::NameMissing, 5),
        (
            whole("Content-Disposition: attachment; name=a"),
            Rule::Disposition,
            26,
        ),
        (
            whole("Content-Disposition: form-data; name"),
            Rule::Disposition,
            41,
        ),
        (
            whole("Content-Disposition: form-data; name=\"a"),
            Rule::Disposition,
            44,
        ),
        (
            whole("Content-Disposition: form-data; name=a b"),
            Rule::Disposition,
            44,
        ),
        (
            whole("Content-Disposition: form-data, name=a"),
            Rule::Disposition,
            35,
        ),
        (whole(&format!("{named}; name=b")), Rule::Repeated, 45),
        (whole(&format!("{named}\r\n{named}")), Rule::Repeated, 45),
        (
            whole(&format!(
                "{named}\r\nContent-Type: a/b\r\ncontent-type: a/b"
            )),
            Rule::Repeated,
            64,
        ),
        (
            whole(&format!("{named}\r\nContent-Transfer-Encoding: base64")),
            Rule::TransferEncoding,
            72,
        ),
        (
            format!("--b\r\n{named}\r\n\r\nx\r\n--b"),
            Rule::Truncated,
            53,
        ),
    ];
    for (body, rule, offset) in table {
        assert_eq!(
            read(form(), body.as_bytes()),
            Err((rule, offset)),
            "{body:?}"
        );
    }
    let latin = b"--b\r\nContent-Disposition: form-data; name=\"\xe9\"\r\n\r\n";
    assert_eq!(read(form(), latin), Err((Rule::NotUtf8, 43)));
}

#[test]
fn escapes_in_names_are_those_of_browsers_and_of_the_standard() {
    for (written, meant) in [
        ("filename=\"a b\"", "a b"),
        ("filename=\"%22\\\"\\\\%41%0D\"", "%41%0D"),
        ("filename=\"x%22\\\"\"", "x\"\""),
        ("filename=\"C:\\dir\\f.txt\"", "f.txt"),
        ("filename=\"../../etc/passwd\"", "passwd"),
        ("filename=\"a/..\"", ""),
        ("filename=\"\"", ""),
        (
            "filename=a; filename*=UTF-8'en'%e2%82%AC%20.txt",
            "\u{20ac} .txt",
        ),
        ("filename*=utf-8''..%2fx", "x"),
    ] {
        assert_eq!(
            filename_of(written),
            Ok(Some(meant.to_owned())),
            "{written}"
        );
    }
    for odd in [
        "latin1''x",
        "utf-8''%ff",
        "utf-8''%0",
        "utf-8''%0a",
        "utf-8'x",
        "x",
    ] {
        let written = format!("filename*=\"{odd}\"");
        assert_eq!(
            filename_of(&written),
            Err(Rule::ExtendedFilename),
            "{written}"
        );
    }
}

#[test]
fn h1_24_everything_has_a_limit() {
    let fields = "Content-Disposition: form-data; name=abcd";
    let part = format!("--b\r\n{fields}\r\n\r\n12345\r\n");
    let whole = format!("{part}{part}--b--");
    let limited = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        read(form().with_limits(limits), whole.as_bytes()).map(|parts| parts.len())
    };
    assert_eq!(limited(|limits| limits.parts = 2), Ok(2));
    assert_eq!(
        limited(|limits| limits.parts = 1),
        Err((Rule::TooManyParts, 62))
    );
    assert_eq!(limited(|limits| limits.head_bytes = 46), Ok(2));
    assert_eq!(
        limited(|limits| limits.head_bytes = 44),
        Err((Rule::HeadTooLarge, 49))
    );
    assert_eq!(limited(|limits| limits.name_bytes = 4), Ok(2));
    assert_eq!(
        limited(|limits| limits.name_bytes = 3),
        Err((Rule::NameTooLong, 37))
    );
    assert_eq!(limited(|limits| limits.part_bytes = 5), Ok(2));
    assert_eq!(
        limited(|limits| limits.part_bytes = 4),
        Err((Rule::PartTooLarge, 54))
    );
    assert_eq!(limited(|limits| limits.total_bytes = 119), Ok(2));
    assert_eq!(
        limited(|limits| limits.total_bytes = 118),
        Err((Rule::TotalTooLarge, 118))
    );
}

#[test]
fn h1_24_a_boundary_is_judged_and_never_a_panic() {
    let of = |text: &str| Boundary::new(text).map(|boundary| boundary.as_str().to_owned());
    assert_eq!(of("a b"), Ok("a b".to_owned()));
    assert_eq!(of(&"x".repeat(70)), Ok("x".repeat(70)));
    assert_eq!(of(""), Err(BoundaryError::Length(0)));
    assert_eq!(of(&"x".repeat(71)), Err(BoundaryError::Length(71)));
    assert_eq!(of("a "), Err(BoundaryError::Character(1)));
    assert_eq!(of("a\r\nb"), Err(BoundaryError::Character(1)));
    assert_eq!(of("\u{e9}"), Err(BoundaryError::Character(0)));
    let typed = |text: &str| Boundary::of_content_type(text).map(|found| found.as_str().to_owned());
    let rope = Ok("rope".to_owned());
    assert_eq!(typed("multipart/form-data; boundary=rope"), rope);
    assert_eq!(
        typed("Multipart/Mixed ;charset=x;BOUNDARY=\"rope\" ;"),
        rope
    );
    assert_eq!(
        typed("text/plain; boundary=rope"),
        Err(BoundaryError::NotMultipart)
    );
    assert_eq!(
        typed("\u{20ac}\u{20ac}\u{20ac}\u{20ac}"),
        Err(BoundaryError::NotMultipart)
    );
    assert_eq!(typed("multipart/form-data"), Err(BoundaryError::Missing));
    assert_eq!(
        typed("multipart/x; boundary=a; boundary=a"),
        Err(BoundaryError::Repeated)
    );
    assert_eq!(
        typed("multipart/x; boundary=a/b"),
        Err(BoundaryError::Malformed(23))
    );
    assert_eq!(
        typed("multipart/x; boundary=\"a"),
        Err(BoundaryError::Malformed(24))
    );
    assert_eq!(
        typed("multipart/x; boundary=\"\u{e9}\""),
        Err(BoundaryError::Character(0))
    );
}

#[test]
fn parts_of_other_types_need_no_name() {
    let body = b"\r\n--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/9\r\n\r\nx\r\n--b\r\n\r\n\r\n--b--\r\n";
    let decoder = MultipartDecoder::mixed(Boundary::new("b").unwrap());
    assert_eq!(read(decoder.clone(), body).unwrap().len(), 2);
    let mut decoder = decoder;
    let mut input = decoder.receive(body);
    let Some(Ok(MultipartEvent::Part(head))) = input.next_event() else {
        panic!("a part begins")
    };
    assert_eq!(head.field("content-range"), Some("bytes 0-0/9"));
    assert_eq!(head.fields().count(), 2);
}

#[test]
fn a_boundary_in_content_is_seen_before_it_is_sent() {
    let boundary = Boundary::new("b").unwrap();
    assert!(boundary.is_in(b"x\r\n--bc"));
    assert!(boundary.is_in(b"--b"));
    assert!(!boundary.is_in(b"x--b\n--b"));
}
