//! Multipart bodies (RFC 2046 5.1): forms with files (RFC 7578), and the ranges of a resource (RFC 9110 14.6).
//!
//! For: servers that read forms and uploads, clients that write them or read ranges. Not for: where the data goes, how much of it fits in
//! memory, or url-encoded forms.
//!
//! ```text
//!   bytes ── receive ──► Input ── next_event ──► Part, Data…, PartEnd, …, End       lent from the bytes
//!                          └───── dropped ─────► the rest waits
//! ```
//!
//! **Strict.** What two parsers would read differently is refused, not repaired:
//!
//! - nothing but one CRLF stands before the first boundary, and nothing but one CRLF behind the last;
//! - CRLF or `--` follows a boundary at once, without blanks; lines end with CRLF;
//! - the boundary that begins a part's content ends an empty part, whose head's CRLF is then also the boundary's;
//! - fields are not folded; `Content-Disposition`, `Content-Type` and each parameter come once; text is UTF-8;
//! - a part of a form has a name; contents that are encoded (`base64`) are refused, as nobody sends them (RFC 7578 4.7).
//!
//! In a quoted text `\"` and `\\` are what they escape, other backslashes stand for themselves, and `%22` is the quote that
//! browsers write so (HTML 4.10.21.8); `%0D` and `%0A` stay as they are, so that no name holds a line break.
//!
//! ```
//! use ropewalk_grammar::Framing;
//! use ropewalk_grammar::multipart::{Boundary, MultipartDecoder, MultipartEvent};
//!
//! let boundary = Boundary::of_content_type("multipart/form-data; boundary=rope")?;
//! let mut decoder = MultipartDecoder::form(boundary);
//! let body = "--rope\r\nContent-Disposition: form-data; name=\"note\"; filename=\"a.txt\"\r\n\r\ntea\r\n--rope--\r\n";
//! let (mut names, mut content) = (Vec::new(), Vec::new());
//! for chunk in body.as_bytes().chunks(7) {
//!     let mut input = decoder.receive(chunk);
//!     while let Some(event) = input.next_event() {
//!         match event? {
//!             MultipartEvent::Part(head) => names.push((head.name().map(String::from), head.filename().map(String::from))),
//!             MultipartEvent::Data(data) => content.extend_from_slice(data),
//!             MultipartEvent::PartEnd | MultipartEvent::End => {}
//!         }
//!     }
//! }
//! decoder.finish()?;
//! assert_eq!(names, [(Some("note".to_owned()), Some("a.txt".to_owned()))]);
//! assert_eq!(content, b"tea");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod boundary;
mod decoder;
mod encoder;
mod limits;
mod parameter;
mod part_head;
mod rule;

pub use self::boundary::{Boundary, BoundaryError};
pub use self::decoder::{MultipartDecoder, MultipartEvent};
pub use self::encoder::{MultipartEncoder, Part, PartError};
pub use self::limits::Limits;
pub use self::part_head::PartHead;
pub use self::rule::{MultipartError, Rule};
