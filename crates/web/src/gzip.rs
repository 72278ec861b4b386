//! Responses compressed on their way (R151).
//!
//! ```text
//!   bytes, short ───────────► compressed at once, with a length
//!   bytes, long; streams ───► Coded: 64 KiB of input a turn; flushed when the source has nothing for now
//!   pieces of a BodySender ─► Coder in the exchange: flushed when no further piece waits
//! ```

use std::io::Write;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use ropewalk_core::Failure;
use ropewalk_grammar::http1::{Method, Name};

use crate::body::{Body, Content};
use crate::content_type::is_compressible;
use crate::headers::Headers;
use crate::negotiate::{Encoding, add_vary, choose_encoding};
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;
use crate::wrapped::Wrapped;

/// How much is compressed in one turn of the reactor: about a millisecond.
const TURN_BYTES: usize = 64 * 1024;

/// Compresses the responses of the resources that it wraps, if the client takes `gzip`: text, JSON and the like, of 1 KiB and more, or of unknown
/// length.
///
/// Left as they are: what has a `Content-Encoding` already, parts of a resource (206), and what says `Cache-Control: no-transform`. A strong
/// `ETag` becomes weak, and `Vary` names `Accept-Encoding`.
///
/// A stream that is compressed takes a quarter of a megabyte for as long as it lasts. So streams of events, which last, are compressed only
/// if [you say so](Self::with_event_streams).
///
/// A page that repeats what the client sent beside a secret tells the secret by its length when it is compressed (BREACH): put no tokens
/// that do not change into such pages, or do not wrap them.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Gzip, Request, Router, Site};
///
/// let router = Router::new().get("/", |_: &Request| "tea ".repeat(1000));
/// let mut client = StringTransport::builder().factory(Site::new(Gzip::new().wrap(router)));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
/// assert!(client.take_sent().len() < 300);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gzip {
    level: u32,
    least_bytes: u64,
    has_events: bool,
}

impl Gzip {
    /// Level 6, from 1 KiB on: what is shorter is one packet anyway.
    #[must_use]
    pub fn new() -> Self {
        Self {
            level: 6,
            least_bytes: 1024,
            has_events: false,
        }
    }

    /// The same, at another level: 1 is the fastest, 9 the shortest.
    ///
    /// # Panics
    ///
    /// When it is not from 1 to 9.
    #[must_use]
    pub fn with_level(mut self, level: u32) -> Self {
        assert!(
            (1..=9).contains(&level),
            "Gzip::with_level({level}): levels are 1 to 9"
        );
        self.level = level;
        self
    }

    /// The same, from so many bytes on.
    #[must_use]
    pub fn with_least_bytes(mut self, bytes: u64) -> Self {
        self.least_bytes = bytes;
        self
    }

    /// The same, also for streams of events, each of which then takes a quarter of a megabyte.
    #[must_use]
    pub fn with_event_streams(mut self) -> Self {
        self.has_events = true;
        self
    }

    /// Compresses what `inner` and what is below it answer.
    pub fn wrap<R: Resource>(self, inner: R) -> impl Resource + use<R> {
        Wrapped::new(inner, move |request: &Request| {
            request.on_response(move |request, response| self.compress(request, response));
            None
        })
    }

    fn compress(&self, request: &Request, mut response: Response) -> Response {
        if !self.is_worth_it(&response) {
            return response;
        }
        vary_by_encoding(&mut response);
        let accept = request.header(Name::AcceptEncoding);
        let is_taken = choose_encoding(accept, &["gzip"]) == Encoding::Coded("gzip");
        if !is_taken {
            return response;
        }
        if response.status() == StatusCode::NOT_MODIFIED {
            weaken_known_tag(&mut response, request);
            return response;
        }
        let is_head = request.head().method() == Method::Head;
        let body = response.take_body();
        *response.body_mut() = match body.0 {
            Content::Bytes(bytes) if bytes.len() <= TURN_BYTES && !is_head => {
                match self.coded(&bytes) {
                    Some(coded) => coded.into(),
                    None => return response.with_body(bytes),
                }
            }
            Content::Pieces => {
                if !is_head {
                    request.0.exchange.set_coder(Coder::new(self.level));
                }
                Body(Content::Pieces)
            }
            _ => Body::wrap(Coded::new(body, self.level)),
        };
        mark(&mut response);
        response
    }

    fn is_worth_it(&self, response: &Response) -> bool {
        let headers = response.headers();
        let text = |name: Name| headers.get(name).and_then(|value| value.to_str().ok());
        let content_type = text(Name::ContentType).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is_event_stream = essence.eq_ignore_ascii_case("text/event-stream");
        let control = text(Name::CacheControl)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let has_body = match response.status() {
            StatusCode::NOT_MODIFIED => return true,
            StatusCode::PARTIAL_CONTENT | StatusCode::NO_CONTENT => false,
            status => !status.is_informational(),
        };
        let length = response.body().known_length();
        has_body
            && is_compressible(&essence.to_ascii_lowercase())
            && (self.has_events || !is_event_stream)
            && length.is_none_or(|length| length >= self.least_bytes)
            && !headers.contains(Name::ContentEncoding)
            && !headers.contains(Name::ContentRange)
            && !control.contains("no-transform")
    }

    /// All of it, if that is shorter.
    fn coded(&self, bytes: &[u8]) -> Option<Bytes> {
        let mut coder = Coder::new(self.level);
        coder.write(bytes);
        let coded = coder.finish();
        (coded.len() < bytes.len()).then_some(coded)
    }
}

impl Default for Gzip {
    fn default() -> Self {
        Self::new()
    }
}

fn vary_by_encoding(response: &mut Response) {
    let fields = response.headers().all(Name::Vary);
    let fields: Vec<_> = fields.filter_map(|value| value.to_str().ok()).collect();
    let mut vary = fields.join(", ");
    add_vary(&mut vary, "Accept-Encoding");
    if let Ok(value) = HeaderValue::try_from(vary) {
        response.headers_mut().replace(Name::Vary.into(), value);
    }
}

fn mark(response: &mut Response) {
    let headers = response.headers_mut();
    let gzip = HeaderValue::from_static("gzip");
    headers.replace(Name::ContentEncoding.into(), gzip);
    headers.remove(Name::ContentLength);
    headers.remove(Name::AcceptRanges);
    if let Some(Ok(weak)) = weak_tag(headers).map(HeaderValue::try_from) {
        headers.replace(Name::Etag.into(), weak);
    }
}

/// What a strong tag is called once the content is compressed.
fn weak_tag(headers: &Headers) -> Option<String> {
    let tag = headers.get(Name::Etag)?.to_str().ok()?;
    (!tag.starts_with("W/")).then(|| format!("W/{tag}"))
}

/// A cache finds what it has by the tag that it was given, which was weak if that was compressed (RFC 9110 15.4.5).
fn weaken_known_tag(response: &mut Response, request: &Request) {
    let known = request.header(Name::IfNoneMatch).unwrap_or_default();
    let headers = response.headers_mut();
    if let Some(weak) = weak_tag(headers).filter(|weak| known.contains(weak))
        && let Ok(weak) = HeaderValue::try_from(weak)
    {
        headers.replace(Name::Etag.into(), weak);
    }
}

/// Compresses piece by piece.
pub(crate) struct Coder {
    gzip: GzEncoder<Vec<u8>>,
    /// Something may be in there that the client could do with now.
    holds_back: bool,
}

impl Coder {
    fn new(level: u32) -> Self {
        Self {
            gzip: GzEncoder::new(Vec::new(), Compression::new(level)),
            holds_back: false,
        }
    }

    pub(crate) fn write(&mut self, data: &[u8]) {
        self.gzip.write_all(data).expect("a vector takes all");
        self.holds_back |= !data.is_empty();
    }

    /// Lets all out that was written.
    pub(crate) fn flush(&mut self) {
        if mem::take(&mut self.holds_back) {
            self.gzip.flush().expect("a vector takes all");
        }
    }

    /// What is ready to be sent.
    pub(crate) fn take(&mut self) -> Bytes {
        mem::take(self.gzip.get_mut()).into()
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.gzip.try_finish().expect("a vector takes all");
        self.take()
    }
}

/// A body, compressed as it is pulled.
struct Coded {
    body: Body,
    coder: Option<Coder>,
    input: Bytes,
    trailers: Option<Frame<Bytes>>,
    /// How much was compressed in this turn already.
    turn_bytes: usize,
}

impl Coded {
    fn new(body: Body, level: u32) -> Self {
        Self {
            body,
            coder: Some(Coder::new(level)),
            input: Bytes::new(),
            trailers: None,
            turn_bytes: 0,
        }
    }
}

impl http_body::Body for Coded {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        loop {
            let Some(coder) = &mut this.coder else {
                return Poll::Ready(this.trailers.take().map(Ok));
            };
            if !this.input.is_empty() {
                if this.turn_bytes >= TURN_BYTES {
                    this.turn_bytes = 0;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let share = this.input.len().min(TURN_BYTES);
                this.turn_bytes += share;
                coder.write(&this.input[..share]);
                this.input.advance(share);
                let ready = coder.take();
                if !ready.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(ready))));
                }
                continue;
            }
            let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(context) else {
                coder.flush();
                this.turn_bytes = 0;
                let ready = coder.take();
                return match ready.is_empty() {
                    true => Poll::Pending,
                    false => Poll::Ready(Some(Ok(Frame::data(ready)))),
                };
            };
            match next.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => this.input = data,
                ended => {
                    this.trailers = ended.and_then(Result::err);
                    let rest = this.coder.take().map(Coder::finish);
                    return Poll::Ready(rest.map(|rest| Ok(Frame::data(rest))));
                }
            }
        }
    }
}
