//! The service, on a connection without a network.

use ropewalk::testing::StringTransport;

use super::*;

struct Client(StringTransport);

impl Client {
    fn new() -> Self {
        Self(StringTransport::builder().factory(Site::new(routes())))
    }

    /// Asks on the one connection, and gives status, head and body.
    fn ask(&mut self, line: &str, body: &str) -> (u16, String, String) {
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        self.0.receive(head + body);
        self.0.settle();
        let sent = String::from_utf8(self.0.take_sent()).unwrap();
        let (head, body) = sent.split_once("\r\n\r\n").expect("an answer");
        let status = head[9..12].parse().unwrap();
        (status, format!("{head}\r\n"), body.to_owned())
    }
}

#[test]
fn p12_the_page_other_paths_and_other_methods() {
    let mut client = Client::new();
    let (status, head, body) = client.ask("GET /hello", "");
    assert_eq!((status, &*body), (200, "Hello, Twisted.web!"));
    assert!(head.contains("Content-Length: 19\r\n"), "{head}");
    assert_eq!(client.ask("GET /other", "").0, 404);
    let (status, head, _) = client.ask("DELETE /hello", "");
    assert!(
        status == 405 && head.contains("Allow: GET, HEAD, OPTIONS\r\n"),
        "{head}"
    );
    assert_eq!(client.ask("BREW /hello", "").0, 501);
    let (status, head, body) = client.ask("HEAD /hello", "");
    assert_eq!((status, &*body), (200, ""));
    assert!(head.contains("Content-Length: 19\r\n"), "{head}");
}

#[test]
fn p13_the_leaf_answers_for_all_below_it() {
    let mut client = Client::new();
    for path in ["/hello/leaf", "/hello/leaf/", "/hello/leaf/a%2Fb/c?d"] {
        let (status, head, _) = client.ask(&format!("GET {path}"), "");
        assert!(
            status == 200 && head.contains("Content-Type: text/plain"),
            "{path}: {head}"
        );
    }
}

#[test]
fn p15_an_item_is_made_read_changed_and_removed() {
    let mut client = Client::new();
    let (status, head, body) = client.ask("POST /items", r#"{"name": "tea"}"#);
    assert_eq!((status, &*body), (201, r#"{"id":1,"name":"tea"}"#));
    assert!(head.contains("Location: /items/1\r\n"), "{head}");
    assert_eq!(client.ask("GET /items/1", "").2, body);
    let (status, _, changed) = client.ask("PUT /items/1", r#"{"name": "<coffee>", "id": 7}"#);
    assert_eq!((status, &*changed), (200, r#"{"id":1,"name":"<coffee>"}"#));
    assert_eq!(client.ask("GET /items", "").2, format!("[{changed}]"));
    let (status, head, body) = client.ask("DELETE /items/1", "");
    assert_eq!((status, &*body), (204, ""));
    assert!(!head.contains("Content-Length"), "{head}");
    for line in [
        "GET /items/1",
        "PUT /items/1",
        "DELETE /items/1",
        "GET /items/tea",
    ] {
        assert_eq!(client.ask(line, r#"{"name": "tea"}"#).0, 404, "{line}");
    }
    assert!(
        client
            .ask("POST /items", r#"{"name": "tea"}"#)
            .2
            .contains(r#""id":2"#)
    );
}

#[test]
fn what_is_no_item_is_refused_and_says_why() {
    let mut client = Client::new();
    for body in ["", "tea", "{}", r#"{"name": 1}"#, "[[[[[[[[["] {
        let (status, _, page) = client.ask("POST /items", body);
        assert!(status == 400 && page.contains("line 1"), "{body}: {page}");
    }
    assert_eq!(client.ask("GET /items", "").2, "[]");
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let mut client = Client::new();
    for _ in 0..MOST_ITEMS {
        assert_eq!(client.ask("POST /items", r#"{"name": "tea"}"#).0, 201);
    }
    assert_eq!(client.ask("POST /items", r#"{"name": "tea"}"#).0, 507);
}
