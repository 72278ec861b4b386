//! The page: files that are compiled in, and where its WebSocket is.

use ropewalk::web::{Branch, Data, SecureHeaders, Site};

use super::browser;
use super::hall::Hall;

/// The page loads nothing that is not here, runs no script and no style that is written into it, and is in no other page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [(&str, &str, &str); 6] = [
    (
        "",
        include_str!("page/index.html"),
        "text/html; charset=utf-8",
    ),
    (
        "chat.css",
        include_str!("page/chat.css"),
        "text/css; charset=utf-8",
    ),
    ("chat.js", include_str!("page/chat.js"), SCRIPT),
    ("messages.js", include_str!("page/messages.js"), SCRIPT),
    ("lists.js", include_str!("page/lists.js"), SCRIPT),
    ("icon.svg", include_str!("page/icon.svg"), "image/svg+xml"),
];

/// The page, and at `/ws` the rooms.
pub(crate) fn site(hall: Hall) -> Site {
    let mut pages = Branch::new().with_child("ws", browser::server(hall));
    for (name, text, kind) in FILES {
        pages = pages.with_child(name, Data::new(text, kind));
    }
    Site::new(SecureHeaders::new(pages).with_policy(POLICY))
}
