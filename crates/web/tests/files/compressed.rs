//! Files that are compressed on their way: `Gzip` over `StaticFiles`.

use std::io::Read;

use flate2::read::GzDecoder;
use ropewalk_web::{Gzip, MemoryFiles, StaticFiles, StatusCode};

use crate::{Answer, Client};

const GZIP: (&str, &str) = ("Accept-Encoding", "gzip");

fn text(lines: usize) -> String {
    (0..lines).map(|line| format!("line {line}\n")).collect()
}

fn files() -> StaticFiles {
    let files = MemoryFiles::new()
        .with_file("small.txt", text(1_000))
        .with_file("large.txt", text(200_000))
        .with_file("photo.png", text(1_000));
    StaticFiles::new(files)
}

fn ask(path: &str, fields: &[(&str, &str)]) -> Answer {
    Client::new(Gzip::new().wrap(files())).ask("GET", path, fields)
}

/// The body without chunks around it.
fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        all.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    all
}

fn inflated(coded: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(coded).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn r151_compressed_files_have_a_weak_tag_vary_and_no_length_of_the_file() {
    for (path, lines) in [("/small.txt", 1_000), ("/large.txt", 200_000)] {
        let plain = Client::new(files()).get(path);
        let answer = ask(path, &[GZIP]);
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("Content-Encoding"), "gzip");
        assert_eq!(answer.header("Vary"), "Accept-Encoding");
        assert_eq!(answer.header("ETag"), format!("W/{}", plain.header("ETag")));
        assert_eq!(answer.find("Accept-Ranges"), None, "its bytes are others");
        let body = match answer.find("Content-Length") {
            Some(length) => {
                assert_eq!(length, answer.body.len().to_string());
                answer.body
            }
            None => {
                assert_eq!(answer.header("Transfer-Encoding"), "chunked");
                dechunked(&answer.body)
            }
        };
        assert!(inflated(&body) == text(lines), "{path}");
    }
    let large = ask("/large.txt", &[GZIP]);
    assert_eq!(large.find("Content-Length"), None, "nobody knows it yet");
}

#[test]
fn r151_who_takes_no_gzip_gets_the_file_and_caches_are_told() {
    let plain = Client::new(files()).get("/small.txt");
    for fields in [&[][..], &[("Accept-Encoding", "gzip;q=0, br")]] {
        let answer = ask("/small.txt", fields);
        assert_eq!(answer.header("Vary"), "Accept-Encoding");
        assert_eq!(answer.header("ETag"), plain.header("ETag"));
        assert_eq!(answer.find("Content-Encoding"), None);
        assert!(answer.body == plain.body);
    }
    let photo = ask("/photo.png", &[GZIP]);
    assert_eq!(photo.find("Content-Encoding"), None);
    assert!(photo.body == text(1_000).as_bytes());
}

#[test]
fn r158_ranges_are_left_alone() {
    let tag = ask("/small.txt", &[]).header("ETag").to_owned();
    let part = ask("/small.txt", &[GZIP, ("Range", "bytes=100-2099")]);
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.find("Content-Encoding"), None);
    assert_eq!(part.header("Content-Length"), "2000");
    assert_eq!(part.header("ETag"), tag, "of the bytes of the file");
    assert!(part.body == text(1_000).as_bytes()[100..2100]);
    // Who has the beginning of the compressed form cannot go on with bytes of the other.
    let weak = format!("W/{tag}");
    let whole = ask(
        "/small.txt",
        &[GZIP, ("Range", "bytes=100-2099"), ("If-Range", &weak)],
    );
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(whole.header("Content-Encoding"), "gzip");
}

#[test]
fn r157_the_tag_of_the_compressed_form_is_known_again() {
    let tag = ask("/large.txt", &[GZIP]).header("ETag").to_owned();
    let again = ask("/large.txt", &[GZIP, ("If-None-Match", &tag)]);
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(again.header("Vary"), "Accept-Encoding");
    assert!(again.body.is_empty());
}
