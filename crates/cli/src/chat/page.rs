//! The page: files that are compiled in, and where its WebSocket is.

use ropewalk::web::{Branch, Data, SecureHeaders, Site};

use super::browser;
use super::hall::Hall;

/// The page loads nothing that is not here, runs no script and no style that is written into it, and is in no other page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page, and at `/ws` the rooms.
pub(crate) fn site(hall: Hall) -> Site {
    let pages = Branch::new()
        .with_child(
            "",
            Data::new(include_str!("page/index.html"), "text/html; charset=utf-8"),
        )
        .with_child(
            "chat.css",
            Data::new(include_str!("page/chat.css"), "text/css; charset=utf-8"),
        )
        .with_child(
            "chat.js",
            Data::new(
                include_str!("page/chat.js"),
                "text/javascript; charset=utf-8",
            ),
        )
        .with_child(
            "icon.svg",
            Data::new(include_str!("page/icon.svg"), "image/svg+xml"),
        )
        .with_child("ws", browser::server(hall));
    Site::new(SecureHeaders::new(pages).with_policy(POLICY))
}
