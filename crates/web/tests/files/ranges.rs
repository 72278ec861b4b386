//! Parts of files: r158, H1-22.

use proptest::prelude::*;
use ropewalk_web::{Bytes, MemoryFiles, StaticFiles, StatusCode};

use crate::{Answer, Client};

const SIZE: usize = 1000;

fn content(size: usize) -> Bytes {
    (0..size).map(|at| (at % 251) as u8).collect()
}

fn client(size: usize) -> Client {
    let files = MemoryFiles::new().with_file("a.bin", content(size));
    Client::new(StaticFiles::new(files))
}

fn range(client: &mut Client, range: &str) -> Answer {
    client.ask("GET", "/a.bin", &[("Range", range)])
}

/// The parts of a multipart body, each where it says that it begins.
fn parts(answer: &Answer) -> Vec<(usize, Vec<u8>)> {
    let content_type = answer.header("Content-Type");
    let boundary = content_type.split_once("boundary=").unwrap().1;
    let delimiter = format!("--{boundary}");
    let find = |from: usize, wanted: &[u8]| {
        let places = answer.body[from..].windows(wanted.len());
        places.into_iter().position(|here| here == wanted).unwrap() + from
    };
    let (mut parts, mut at) = (Vec::new(), find(0, delimiter.as_bytes()));
    loop {
        let head = at + delimiter.len();
        if answer.body[head..].starts_with(b"--\r\n") {
            assert_eq!(head + 4, answer.body.len());
            return parts;
        }
        let body = find(head, b"\r\n\r\n") + 4;
        at = find(body, format!("\r\n{delimiter}").as_bytes()) + 2;
        let text = std::str::from_utf8(&answer.body[head..body]).unwrap();
        let range = text.split_once("Content-Range: bytes ").unwrap().1;
        let first = range.split_once('-').unwrap().0.parse().unwrap();
        parts.push((first, answer.body[body..at - 2].to_vec()));
    }
}

#[test]
fn r158_one_range_is_a_part() {
    let (mut client, whole) = (client(SIZE), content(SIZE));
    for (value, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=990-", 990, 999),
        ("bytes=990-5000", 990, 999),
        ("bytes=-7", 993, 999),
        ("bytes=-5000", 0, 999),
        ("bytes=5-9,0-4", 0, 9),
    ] {
        let answer = range(&mut client, value);
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{value}");
        assert_eq!(
            answer.header("Content-Range"),
            format!("bytes {first}-{last}/1000")
        );
        assert_eq!(
            answer.header("Content-Length"),
            (last - first + 1).to_string()
        );
        assert_eq!(answer.body, whole[first..=last]);
    }
}

#[test]
fn r158_several_ranges_are_several_parts() {
    let whole = content(SIZE);
    let answer = range(&mut client(SIZE), "bytes=900-909,0-0,-1");
    assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
    assert!(
        answer
            .header("Content-Type")
            .starts_with("multipart/byteranges; boundary=")
    );
    assert_eq!(
        answer.header("Content-Length"),
        answer.body.len().to_string()
    );
    let expected = [(900, 910), (0, 1), (999, 1000)];
    let expected = expected.map(|(first, end)| (first, whole[first..end].to_vec()));
    assert_eq!(parts(&answer), expected);
}

#[test]
fn r158_nothing_satisfiable_is_416_and_nonsense_is_everything() {
    let mut client = client(SIZE);
    for value in [
        "bytes=1000-",
        "bytes=5000-6000",
        "bytes=-0",
        "bytes=1000-,2000-",
    ] {
        let answer = range(&mut client, value);
        assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE, "{value}");
        assert_eq!(answer.header("Content-Range"), "bytes */1000");
    }
    for value in [
        "bytes=9-1",
        "bytes=x",
        "lines=1-2",
        "bytes=",
        "0-1",
        "bytes=0-1;2-3",
    ] {
        let answer = range(&mut client, value);
        assert_eq!(
            (answer.status, answer.body.len()),
            (StatusCode::OK, SIZE),
            "{value}"
        );
        assert_eq!(answer.header("Accept-Ranges"), "bytes");
    }
    let mut empty = self::client(0);
    assert_eq!(
        range(&mut empty, "bytes=0-").status,
        StatusCode::RANGE_NOT_SATISFIABLE
    );
    assert_eq!(empty.get("/a.bin").header("Content-Length"), "0");
}

#[test]
fn h1_22_more_than_sixteen_ranges_are_not_answered() {
    let many = |count| {
        let ranges: Vec<_> = (0..count)
            .map(|at| format!("{}-{}", at * 10, at * 10))
            .collect();
        format!("bytes={}", ranges.join(","))
    };
    let mut client = client(SIZE);
    assert_eq!(parts(&range(&mut client, &many(16))).len(), 16);
    for value in [many(17), format!("bytes={}", ["0-"; 1300].join(","))] {
        assert_eq!(range(&mut client, &value).status, StatusCode::OK);
    }
}

#[test]
fn if_range_gives_a_part_of_the_same_state_only() {
    let mut client = client(SIZE);
    let whole = client.get("/a.bin");
    let (etag, date) = (whole.header("ETag"), whole.header("Last-Modified"));
    for (state, status) in [
        (etag, 206),
        (date, 206),
        ("\"other\"", 200),
        ("W/\"x\"", 200),
    ] {
        let fields = [("Range", "bytes=0-9"), ("If-Range", state)];
        let answer = client.ask("GET", "/a.bin", &fields);
        assert_eq!(answer.status.as_u16(), status, "{state}");
    }
    let head = client.ask("HEAD", "/a.bin", &[("Range", "bytes=0-9")]);
    assert_eq!(
        head.status,
        StatusCode::OK,
        "only GET has ranges (RFC 9110 14.2)"
    );
}

proptest! {
    /// H1-22: whatever is asked for, what comes are bytes of the file, where they say that they are; of small files from memory, and of
    /// large ones as they are read.
    #[test]
    fn h1_22_parts_are_parts_of_the_file(
        value in "bytes=(([0-9]{0,5})-([0-9]{0,5}),){0,5}([0-9]{0,5})-([0-9]{0,5})|\\PC{0,20}",
        size in prop_oneof![0..300_usize, Just(70_000_usize)],
    ) {
        let whole = content(size);
        let answer = range(&mut client(size), &value.replace(|c: char| !(' '..='~').contains(&c), ""));
        prop_assert_eq!(answer.header("Content-Length"), answer.body.len().to_string());
        match answer.status.as_u16() {
            200 => prop_assert_eq!(&answer.body, &whole),
            206 if answer.find("Content-Range").is_none() => {
                for (first, part) in parts(&answer) {
                    prop_assert_eq!(&part, &whole[first..first + part.len()]);
                }
            }
            206 => {
                let range = answer.header("Content-Range").strip_prefix("bytes ").unwrap();
                let first: usize = range.split_once('-').unwrap().0.parse().unwrap();
                prop_assert_eq!(&answer.body, &whole[first..first + answer.body.len()]);
            }
            status => prop_assert_eq!(status, 416),
        }
    }
}
