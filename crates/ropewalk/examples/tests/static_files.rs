//! The directory, asked for on a connection without a network.

use std::fs;

use ropewalk::testing::StringTransport;

use super::*;

struct Client {
    peer: StringTransport,
    _place: tempfile::TempDir,
}

impl Client {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("sub")).unwrap();
        fs::write(place.path().join("a.txt"), "0123456789").unwrap();
        fs::write(place.path().join("a.txt.gz"), "packed").unwrap();
        let site = Site::new(StaticFiles::of(place.path()).unwrap());
        Self {
            peer: StringTransport::builder().factory(site),
            _place: place,
        }
    }

    fn get(&mut self, path: &str, fields: &str) -> String {
        self.peer
            .receive(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        String::from_utf8(self.peer.take_sent()).unwrap()
    }
}

#[test]
fn p14_a_directory_is_served() {
    let mut client = Client::new();
    assert!(client.get("/a.txt", "").ends_with("\r\n\r\n0123456789"));
    assert!(client.get("/", "").contains("<a href=\"./sub/\">sub/</a>"));
    assert!(client.get("/sub", "").contains("\r\nLocation: /sub/\r\n"));
    for path in ["/../a.txt", "/%2e%2e/a.txt", "/sub/%2e%2e/a.txt", "/b.txt"] {
        assert!(client.get(path, "").starts_with("HTTP/1.1 404 "), "{path}");
    }
    let packed = client.get("/a.txt.gz", "");
    assert!(
        packed.contains("\r\nContent-Encoding: gzip\r\n"),
        "{packed}"
    );
}

#[test]
fn p14_parts_and_what_is_known_already() {
    let mut client = Client::new();
    let part = client.get("/a.txt", "Range: bytes=2-4\r\n");
    assert!(part.starts_with("HTTP/1.1 206 ") && part.ends_with("\r\n\r\n234"));
    let beyond = client.get("/a.txt", "Range: bytes=10-\r\n");
    assert!(beyond.starts_with("HTTP/1.1 416 "), "{beyond}");
    assert!(beyond.contains("\r\nContent-Range: bytes */10\r\n"));
    let whole = client.get("/a.txt", "");
    let modified = whole.split("Last-Modified: ").nth(1).unwrap();
    let modified = modified.split("\r\n").next().unwrap();
    let known = client.get("/a.txt", &format!("If-Modified-Since: {modified}\r\n"));
    assert!(known.starts_with("HTTP/1.1 304 ") && known.ends_with("\r\n\r\n"));
}
