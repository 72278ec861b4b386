//! What the HTTP servers answer, and those of this binary that are not hyper's kind: the floor, and us.

use httparse::{EMPTY_HEADER, Request as Parsed, Status};
use ropewalk::web::{Json, Request, Router, Site};

/// What everybody answers at `/`.
pub(crate) const HELLO: &str = "Hello, World!";

/// How many resources there are beside it.
const ITEMS: usize = 100;

/// Our site.
pub(crate) fn site() -> Site {
    let mut router = Router::new().get("/", |_: &Request| HELLO);
    for number in 0..ITEMS {
        let of_item = move |_: &Request| Json(Item::of(number as u32));
        router = router.get(&format!("/shelf/{number}/item"), of_item);
    }
    Site::new(router)
}

#[derive(serde::Serialize)]
struct Item {
    id: u32,
    name: &'static str,
    text: &'static str,
}

impl Item {
    fn of(id: u32) -> Self {
        Self {
            id,
            name: "item",
            text: TEXT,
        }
    }
}

/// As much as makes an item 1 KiB.
const TEXT: &str = include_str!("item.txt");

/// The floor's answer, whole.
const PREPARED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\nHello, World!";

/// Appends an answer to each whole request in `unread` and `bytes`; keeps what is left in `unread`.
///
/// # Errors
///
/// What came is no request.
pub(crate) fn answer(
    unread: &mut Vec<u8>,
    bytes: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), httparse::Error> {
    if unread.is_empty() {
        let used = answer_all(bytes, out)?;
        unread.extend_from_slice(&bytes[used..]);
    } else {
        unread.extend_from_slice(bytes);
        let used = answer_all(unread, out)?;
        unread.drain(..used);
    }
    Ok(())
}

fn answer_all(bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, httparse::Error> {
    let mut used = 0;
    while used < bytes.len() {
        let mut headers = [EMPTY_HEADER; 32];
        match Parsed::new(&mut headers).parse(&bytes[used..])? {
            Status::Complete(length) => used += length,
            Status::Partial => break,
        }
        out.extend_from_slice(PREPARED);
    }
    Ok(used)
}
