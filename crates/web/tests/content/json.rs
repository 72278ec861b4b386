//! Bodies that are JSON or text.

use ropewalk_web::{Failure, Request, Router};

use crate::{client, post, sent};

fn router() -> Router {
    Router::new()
        .post("/sum", |request: Request| async move {
            let numbers: Vec<i64> = request.json().await?;
            Ok::<_, Failure>(numbers.iter().sum::<i64>().to_string())
        })
        .post("/any", |request: Request| async move {
            let any: serde_json::Value = request.json().await?;
            Ok::<_, Failure>(any.to_string())
        })
        .post("/text", |request: Request| async move {
            Ok::<_, Failure>(request.text().await?)
        })
}

#[test]
fn h1_16_json_is_read_or_refused_with_what_is_wrong() {
    let deep = "[".repeat(100_000);
    let long = format!("[{}1]", " ".repeat(3_000_000));
    for (content_type, body, status, said) in [
        ("application/json", "[1, 2]", "200 OK", "3"),
        ("application/JSON; charset=utf-8", "[4]", "200 OK", "4"),
        ("application/problem+json", "[]", "200 OK", "0"),
        (
            "text/plain",
            "[]",
            "415 Unsupported Media Type",
            "send Content-Type: application/json",
        ),
        (
            "application/jsonp",
            "[]",
            "415 Unsupported Media Type",
            "application/jsonp",
        ),
        (
            "application/json",
            "[1,\n 2",
            "400 Bad Request",
            "line 2 column 2",
        ),
        (
            "application/json",
            "{}",
            "400 Bad Request",
            "expected a sequence",
        ),
        (
            "application/json",
            &deep,
            "400 Bad Request",
            "recursion limit",
        ),
        ("application/json", &long, "413 ", "2097152"),
    ] {
        let mut client = client(router());
        let path = if said == "recursion limit" {
            "/any"
        } else {
            "/sum"
        };
        client.receive(post(path, content_type, body));
        let sent = sent(&mut client);
        assert!(sent.starts_with(&format!("HTTP/1.1 {status}")), "{sent}");
        assert!(sent.contains(said), "{sent}");
    }
}

#[test]
fn text_is_utf_8() {
    let mut client = client(router());
    client.receive(post("/text", "text/plain", "tea \u{e9}"));
    assert!(sent(&mut client).ends_with("\r\n\r\ntea \u{e9}"));
    client.receive("POST /text HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    client.receive([0xff]);
    let sent = sent(&mut client);
    assert!(
        sent.starts_with("HTTP/1.1 400 ") && sent.contains("byte 2"),
        "{sent}"
    );
}
