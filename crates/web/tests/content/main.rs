//! What requests bring and responses carry, on a connection that a test feeds.

mod events;
mod forms;
mod gzip;
mod json;
mod order;
mod pages;
mod sessions;

use ropewalk_testing::StringTransport;
use ropewalk_web::{Resource, Site};

fn client(root: impl Resource) -> StringTransport {
    StringTransport::builder().factory(Site::new(root))
}

fn sent(client: &mut StringTransport) -> String {
    client.settle();
    String::from_utf8(client.take_sent()).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

fn post(path: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
