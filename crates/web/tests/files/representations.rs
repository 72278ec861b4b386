//! Types, conditions, methods: r156, r157, r159.

use std::io;
use std::time::{Duration, SystemTime};

use ropewalk_web::{
    Branch, Data, FileEntry, FileNode, FileStat, FileTree, MemoryFiles, Redirect, StaticFiles,
    StatusCode,
};

use crate::Client;

fn named(names: &[&str]) -> Client {
    let files = MemoryFiles::new();
    let add = |files: MemoryFiles, name: &&str| files.with_file(name, "content");
    Client::new(StaticFiles::new(names.iter().fold(files, add)))
}

#[test]
fn r156_type_and_encoding_come_from_the_ending() {
    let cases = [
        ("a.txt", "text/plain; charset=utf-8", None),
        ("a.HTML", "text/html; charset=utf-8", None),
        ("a.json", "application/json", None),
        ("a.png", "image/png", None),
        ("a.txt.gz", "text/plain; charset=utf-8", Some("gzip")),
        ("a.TXT.GZ", "text/plain; charset=utf-8", Some("gzip")),
        ("a.css.bz2", "text/css; charset=utf-8", Some("bzip2")),
        ("a.gz", "text/html", Some("gzip")),
        ("README", "text/html", None),
        ("a.unheard-of", "text/html", None),
        ("a.b/README", "text/html", None),
    ];
    let mut client = named(&cases.map(|(name, ..)| name));
    for (name, content_type, encoding) in cases {
        let answer = client.get(&format!("/{name}"));
        assert_eq!(answer.header("Content-Type"), content_type, "{name}");
        assert_eq!(answer.find("Content-Encoding"), encoding, "{name}");
    }
    let tree = MemoryFiles::new().with_file("upload", "<script>");
    let careful = StaticFiles::new(tree).with_default_type("application/octet-stream");
    let answer = Client::new(careful).get("/upload");
    assert_eq!(answer.header("Content-Type"), "application/octet-stream");
}

/// A file of the last second of the year 2000, and some.
fn dated() -> Client {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(978_307_199_500);
    let files = MemoryFiles::new().with_file_of("a.txt", "content", time);
    Client::new(StaticFiles::new(files).with_cache_control("max-age=60"))
}

#[test]
fn r157_what_is_not_newer_is_not_sent_again() {
    let mut client = dated();
    let first = client.get("/a.txt");
    let date = "Sun, 31 Dec 2000 23:59:59 GMT";
    assert_eq!(first.header("Last-Modified"), date);
    let etag = first.header("ETag").to_owned();
    let weak = format!("W/{etag}");
    for (name, value, status) in [
        ("If-Modified-Since", date, 304),
        ("If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT", 304),
        ("If-Modified-Since", "Sunday, 31-Dec-00 23:59:59 GMT", 304),
        ("If-Modified-Since", "Sun, 31 Dec 2000 23:59:58 GMT", 200),
        ("If-Modified-Since", "the day before yesterday", 200),
        ("If-None-Match", &*etag, 304),
        ("If-None-Match", &*weak, 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", "\"other\"", 200),
        ("If-Match", &*etag, 200),
        ("If-Match", &*weak, 412),
        ("If-Match", "\"other\"", 412),
        ("If-Unmodified-Since", "Sun, 31 Dec 2000 23:59:58 GMT", 412),
    ] {
        let answer = client.ask("GET", "/a.txt", &[(name, value)]);
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}");
        if status == 304 {
            assert_eq!(
                (answer.header("ETag"), answer.header("Last-Modified")),
                (&*etag, date)
            );
            assert_eq!(
                (answer.header("Cache-Control"), answer.text()),
                ("max-age=60", "")
            );
        }
    }
    let both = [("If-None-Match", "\"other\""), ("If-Modified-Since", date)];
    let answer = client.ask("GET", "/a.txt", &both);
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "a tag counts more than a date"
    );
}

/// A cache may keep any answer that says for how long, and gives it to those who asked without a range or condition (RFC 9111 3).
#[test]
fn what_one_client_is_refused_is_kept_by_no_cache() {
    let mut client = dated();
    for (name, value, status) in [
        ("Range", "bytes=99-", 416),
        ("If-Match", "\"other\"", 412),
        ("Range", "bytes=0-1", 206),
    ] {
        let answer = client.ask("GET", "/a.txt", &[(name, value)]);
        assert_eq!(answer.status.as_u16(), status);
        let is_kept = answer.head.contains("Cache-Control: max-age=60");
        assert_eq!(is_kept, status == 206, "{}", answer.head);
    }
}

#[test]
fn r159_other_methods_are_405_and_head_is_get_without_a_body() {
    let mut client = dated();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = client.ask(method, "/a.txt", &[("Content-Length", "0")]);
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("Allow"), "GET, HEAD, OPTIONS");
    }
    for path in ["/a.txt", "/", "/other"] {
        let (get, head) = (client.get(path), client.ask("HEAD", path, &[]));
        assert_eq!(get.head, head.head);
        assert!(head.body.is_empty() && !get.body.is_empty());
    }
}

/// Disks fail in many ways.
struct Broken;

impl FileTree for Broken {
    fn open(&self, path: &str) -> io::Result<FileNode> {
        Err(match path {
            "secret" => io::ErrorKind::PermissionDenied.into(),
            "vanished" => io::ErrorKind::NotFound.into(),
            _ => io::Error::from_raw_os_error(24), // EMFILE
        })
    }

    fn stat(&self, _: &str) -> io::Result<FileStat> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str, _: usize) -> io::Result<Vec<FileEntry>> {
        Ok(Vec::new())
    }
}

#[test]
fn r159_unreadable_is_403_vanished_is_404() {
    let mut client = Client::new(StaticFiles::new(Broken));
    for (path, status) in [("/secret", 403), ("/vanished", 404), ("/x", 503)] {
        assert_eq!(client.get(path).status.as_u16(), status, "{path}");
    }
}

#[test]
fn compressed_siblings_are_served_to_those_who_take_them() {
    let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let files = MemoryFiles::new()
        .with_file_of("a.js", "plain", time(10))
        .with_file_of("a.js.gz", "as gzip", time(10))
        .with_file_of("a.js.br", "as brotli", time(11))
        .with_file_of("stale.js", "plain", time(10))
        .with_file_of("stale.js.gz", "as gzip", time(9));
    let mut client = Client::new(StaticFiles::new(files).with_precompressed());
    for (path, accept, text) in [
        ("/a.js", "gzip, br", "as brotli"),
        ("/a.js", "gzip", "as gzip"),
        ("/a.js", "gzip;q=0, br;q=0", "plain"),
        ("/a.js", "identity", "plain"),
        ("/stale.js", "br, gzip", "plain"),
    ] {
        let answer = client.ask("GET", path, &[("Accept-Encoding", accept)]);
        assert_eq!(answer.text(), text, "{accept}");
        assert_eq!(answer.header("Vary"), "Accept-Encoding");
        assert_eq!(answer.find("Content-Encoding").is_some(), text != "plain");
        assert!(answer.header("Content-Type").contains("javascript"));
    }
    let mut tag = |accept| {
        let answer = client.ask("GET", "/a.js", &[("Accept-Encoding", accept)]);
        answer.header("ETag").to_owned()
    };
    assert_ne!(tag("gzip"), tag("identity"), "other bytes, another tag");
}

#[test]
fn fixed_data_and_redirects_are_resources() {
    let mut client =
        Client::new(Branch::new().with_child("a.css", Data::new("body{}", "text/css")));
    let answer = client.get("/a.css");
    assert_eq!(
        (answer.header("Content-Type"), answer.text()),
        ("text/css", "body{}")
    );
    let moved = Redirect::to("https://example.com/?a=\"<b>\"").unwrap();
    let mut client = Client::new(moved.with_status(StatusCode::SEE_OTHER));
    let answer = client.ask("POST", "/any/where", &[("Content-Length", "0")]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("Location"), "https://example.com/?a=\"<b>\"");
    assert!(!answer.text().contains("<b>"), "H1-19: {}", answer.text());
    assert!(Redirect::to("/a\r\nSet-Cookie: b").is_err(), "H1-15");
}
