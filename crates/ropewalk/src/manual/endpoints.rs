//! Endpoint strings: where to listen, where to connect, in one line of text.
//!
//! The same strings are understood everywhere: by [`Reactor::listen`](crate::Reactor::listen) and
//! [`Handle::connect`](crate::Handle::connect), on the command line, in configuration files.
//!
//! ```text
//!   tcp:127.0.0.1:8000:backlog=128
//!   ─┬─ ────┬────  ─┬─ ─────┬─────
//!  type  arguments by     options, by name,
//!           place         in any order
//! ```
//!
//! A colon ends a field. Inside of one a backslash quotes `:`, `=`, `[`, `]` and itself, which
//! [`quote`](crate::endpoint::quote) does for you; only the first `=` of a field must be quoted. A field in brackets is text
//! as it is, so that IPv6 addresses need no quoting: `tcp:[::1]:80`.
//!
//! Some types have another endpoint inside, which stands behind their own options as it is:
//! `proxy:from=10.0.0.0/8:tcp:80`. The outer type is nearer to the wire.
//!
//! # All types
//!
//! Port 0 picks a free one; the line `listening on …` and [`ListeningPort::endpoint`](crate::ListeningPort::endpoint) have
//! the real one. `tcp:8000` listens on every IPv4 interface, as in Twisted; for this machine only write
//! `tcp:127.0.0.1:8000`.
//!
#![doc = include_str!("endpoint_types.md")]
//!
//! # What is wrong is told
//!
//! ```
//! use ropewalk::endpoint::ServerString;
//!
//! let error = "tcp:8000:backlg=5".parse::<ServerString>().unwrap_err();
//! assert_eq!(
//!     format!("{error:#}"),
//!     r#"bad endpoint "tcp:8000:backlg=5", byte 9: unknown option "backlg", did you mean "backlog"? known: interface, backlog, reuse_port
//!   tcp:8000:backlg=5
//!            ^^^^^^^^"#
//! );
//! ```
//!
//! [`ServerString`](crate::endpoint::ServerString), [`ClientString`](crate::endpoint::ClientString) and
//! [`DatagramString`](crate::endpoint::DatagramString) are strings known to be right, for the fields of options that derive `clap::Parser`: a wrong one ends the program before anything is opened.
//!
//! # A type of your own
//!
//! Make a [`Kind`](crate::endpoint::Kind), whose example has it whole, and [`register`](crate::endpoint::register) it
//! before strings are read.

#[cfg(all(test, feature = "program"))]
mod tests {
    use crate::endpoint::{Kind, Role, kinds};

    fn section(kind: &Kind) -> String {
        let server = kind.server.map(|role| use_of("Listen at", role));
        let client = kind.client.map(|role| use_of("Connect to", role));
        let datagrams = kind
            .datagrams
            .map(|role| use_of("Exchange datagrams at", role));
        let uses: Vec<String> = server.into_iter().chain(client).chain(datagrams).collect();
        format!("## `{}`: {}\n\n{}", kind.name, kind.about, uses.join("\n"))
    }

    fn use_of<T>(to: &str, role: Role<T>) -> String {
        let row = |(form, meaning): &(&str, &str)| format!("| `{form}` | {meaning} |\n");
        let rows: String = role.options.iter().map(row).collect();
        let table = match rows.is_empty() {
            true => String::new(),
            false => format!("\n| option | meaning |\n| --- | --- |\n{rows}"),
        };
        format!("{to} `{}`\n{table}", role.form.replace(" or ", "` or `"))
    }

    #[test]
    fn the_page_has_every_type_with_all_its_options_and_no_other() {
        crate::register_endpoints();
        let sections: Vec<String> = kinds().iter().map(section).collect();
        let page = sections.join("\n");
        assert!(
            include_str!("endpoint_types.md") == page,
            "endpoint_types.md must be:\n{page}"
        );
    }
}
