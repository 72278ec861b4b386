//! Requests as they are received: the request line (RFC 9112 3) and what a head means as a whole.

use super::field::{Fields, Key};
use super::machine::{Next, Verdict};
use super::meaning::{BodyLength, Expect, Meaning, Version};
use super::message::{Message, Sealed};
use super::response::Asked;
use super::rule::{Broken, Rule};
use super::{Authority, KeptHead, Limits, Method, Name, RequestDecoder, Target, scan};

/// The kind of message that a client sends.
#[derive(Clone, Debug)]
pub struct Request {
    line: Line,
    asked: Asked,
    body: BodyLength,
    next: Next,
}

/// The head of a request, lent from the received bytes.
///
/// ```
/// use ropewalk_grammar::http1::{Event, Method, Name, RequestDecoder, Target};
///
/// let mut decoder = RequestDecoder::new();
/// let mut input = decoder.receive(b"GET /tea?cups=2 HTTP/1.1\r\nHost: example.com\r\nCookie: a=b\r\n\r\n");
/// let Some(Ok(Event::Head(head))) = input.next_event() else { panic!("a head is there") };
/// assert_eq!(head.method(), Method::Get);
/// assert_eq!(head.target(), Target::Origin { path: "/tea", query: Some("cups=2") });
/// assert_eq!(head.authority().unwrap().host(), "example.com");
/// assert_eq!(head.value(Name::Cookie), Some(&b"a=b"[..]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    request: &'a Request,
    fields: Fields<'a>,
    meaning: &'a Meaning,
}

impl RequestDecoder {
    /// Reads requests within [`Limits::REQUEST`].
    pub fn new() -> Self {
        let request = Request {
            line: Line::default(),
            asked: Asked::Other,
            body: BodyLength::Empty,
            next: Next::Message,
        };
        Self::with_message(request, Limits::REQUEST)
    }
}

impl Default for RequestDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> RequestHead<'a> {
    /// The method.
    #[inline]
    pub fn method(&self) -> Method<'a> {
        self.request.line.method(self.fields.bytes)
    }

    /// The target as it was sent, of visible ASCII characters.
    pub fn target_text(&self) -> &'a str {
        scan::ascii(self.request.line.target(self.fields.bytes))
    }

    /// The target, taken apart.
    pub fn target(&self) -> Target<'a> {
        Target::of(self.method(), self.target_text()).expect("it was checked before it was told")
    }

    /// The path of the target: `/` if an absolute one has none, nothing if the form knows none.
    #[inline]
    pub fn path(&self) -> &'a str {
        match self.request.line.target(self.fields.bytes) {
            target @ [b'/', ..] if self.method() != Method::Connect => {
                let query = target.iter().position(|&byte| byte == b'?');
                scan::ascii(&target[..query.unwrap_or(target.len())])
            }
            _ => self.target().path(),
        }
    }

    /// The version.
    #[inline]
    pub fn version(&self) -> Version {
        self.request.line.version
    }

    /// Whom the request is for: the authority of the target, or if it has none, what `Host` says (RFC 9112 3.3).
    ///
    /// `None` if `Host` is empty, or missing in HTTP/1.0.
    pub fn authority(&self) -> Option<Authority<'a>> {
        match self.target() {
            Target::Absolute { authority, .. } | Target::Authority(authority) => Some(authority),
            Target::Origin { .. } | Target::Asterisk => {
                let host = self.fields.spans[self.meaning.host?];
                Authority::of(host.value(self.fields.bytes))
            }
        }
    }

    /// The fields.
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// The value of the field of this name; of the last, if it is there more than once.
    pub fn value<'k>(&self, key: impl Into<Key<'k>>) -> Option<&'a [u8]> {
        self.fields.value(key)
    }

    /// The body that follows; never [`BodyLength::UntilClose`].
    #[inline]
    pub fn body(&self) -> BodyLength {
        self.request.body
    }

    /// Whether nothing more of the request is to come.
    #[inline]
    pub fn is_whole(&self) -> bool {
        matches!(self.body(), BodyLength::Empty | BodyLength::Known(0))
    }

    #[inline]
    pub(super) fn asked(&self) -> Asked {
        self.request.asked
    }

    /// Whether a further request may follow on the connection, as far as the client says: HTTP/1.1 without
    /// `Connection: close` (R131).
    #[inline]
    pub fn is_persistent(&self) -> bool {
        self.request.next.is_persistent()
    }

    /// What the client waits for before it sends the body; HTTP/1.0 cannot wait (RFC 9110 10.1.1).
    #[inline]
    pub fn expect(&self) -> Expect {
        match self.version() {
            Version::Http10 => Expect::Nothing,
            Version::Http11 => self.meaning.expect,
        }
    }

    /// The protocols that the client would rather speak, if it asks: the value of `Upgrade`, when `Connection` names it too, in HTTP/1.1.
    #[inline]
    pub fn upgrade(&self) -> Option<&'a [u8]> {
        let switch = matches!(self.request.next, Next::Switch { .. });
        let asks = switch && self.asked() != Asked::Connect;
        asks.then(|| self.value(Name::Upgrade)).flatten()
    }

    /// A copy, for whoever needs it longer than the event lasts.
    pub fn keep(&self) -> KeptHead<Request> {
        KeptHead::new(self.request, self.meaning, self.fields)
    }

    /// The same in the memory of another copy, whose head is forgotten: no allocation if it is large enough, and nothing to do if it is,
    /// byte for byte, the same head. Tells whether it is another.
    ///
    /// ```
    /// use ropewalk_grammar::http1::{Event, RequestDecoder};
    ///
    /// let (mut decoder, mut kept) = (RequestDecoder::new(), None);
    /// let mut input = decoder.receive(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let mut others = Vec::new();
    /// while let Some(event) = input.next_event() {
    ///     let Event::Head(head) = event? else { continue };
    ///     match &mut kept {
    ///         None => kept = Some(head.keep()),
    ///         Some(kept) => {
    ///             others.push(head.keep_in(kept));
    ///             assert_eq!(kept.head().target_text(), head.target_text());
    ///         }
    ///     }
    /// }
    /// assert_eq!(others, [false, true]);
    /// # Ok::<(), ropewalk_grammar::http1::Http1Error>(())
    /// ```
    #[inline]
    pub fn keep_in(&self, kept: &mut KeptHead<Request>) -> bool {
        kept.renew(self.request, self.meaning, self.fields)
    }

    /// All bytes of the head, with its last CR and LF.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.fields.bytes
    }
}

impl Message for Request {
    type Head<'a> = RequestHead<'a>;
}

impl Sealed for Request {
    const MAY_FOLLOW_EMPTY_LINE: bool = true;
    const REPEATS: bool = true;

    fn is_awaited(&self) -> bool {
        false
    }

    #[inline]
    fn begin(&mut self) -> Result<(), Broken> {
        self.line = Line::default();
        Ok(())
    }

    #[inline]
    fn read_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        self.line.read(bytes)
    }

    #[inline]
    fn judge(&mut self, head: &[u8], meaning: &Meaning) -> Result<(), Broken> {
        let (method, version) = (self.line.method(head), self.line.version);
        if let Err((rule, at)) = Target::check(method, self.line.target(head)) {
            return Err((rule, self.line.target + at));
        }
        if meaning.host.is_none() && version == Version::Http11 {
            return Err((Rule::HostMissing, 0));
        }
        let announced = meaning.announced(version).map_err(|rule| (rule, 0))?;
        let body = announced.unwrap_or(BodyLength::Empty);
        let asked = Asked::of(method);
        if asked == Asked::Connect && !matches!(body, BodyLength::Empty | BodyLength::Known(0)) {
            return Err((Rule::ConnectBody, 0));
        }
        if version == Version::Http10 && announced.is_none() && method.expects_content() {
            return Err((Rule::LengthMissing, 0));
        }
        let is_persistent = version == Version::Http11 && meaning.is_persistent(version);
        let switches = asked == Asked::Connect || meaning.upgrades(version);
        let next = match (is_persistent, switches) {
            (is_persistent, true) => Next::Switch { is_persistent },
            (true, false) => Next::Message,
            (false, false) => Next::Close,
        };
        (self.asked, self.body, self.next) = (asked, body, next);
        Ok(())
    }

    #[inline]
    fn verdict(&self) -> Verdict {
        Verdict {
            body: self.body,
            next: self.next,
        }
    }

    #[inline]
    fn head<'a>(&'a self, fields: Fields<'a>, meaning: &'a Meaning) -> RequestHead<'a> {
        RequestHead {
            request: self,
            fields,
            meaning,
        }
    }

    fn end(&mut self) {}
}

/// The request line, as far as it has come.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    step: Step,
    /// How far the bytes have been looked at.
    at: usize,
    method_end: usize,
    target: usize,
    target_end: usize,
    version: Version,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Method,
    Target,
    Version,
    CarriageReturn,
    LineFeed,
}

impl Line {
    #[inline]
    fn method<'a>(&self, bytes: &'a [u8]) -> Method<'a> {
        Method::of_token(&bytes[..self.method_end])
    }

    #[inline]
    fn target<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.target..self.target_end]
    }

    /// Reads on; gives where the line ends. The steps stand in order, as in [`section`](super::section).
    #[inline]
    fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let mut line = *self;
        let told = line.read_on(bytes);
        *self = line;
        told
    }

    #[inline(always)]
    fn read_on(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        if self.step == Step::Method {
            self.at = scan::token_end(bytes, self.at);
            match bytes.get(self.at) {
                Some(b' ') if self.at > 0 => {}
                Some(_) => return Err((Rule::Method, self.at)),
                None => return Ok(None),
            }
            self.method_end = self.at;
            self.at += 1;
            self.target = self.at;
            self.step = Step::Target;
        }
        if self.step == Step::Target {
            self.at = scan::target_end(bytes, self.at);
            match bytes.get(self.at) {
                Some(b' ') if self.at > self.target => {}
                Some(b'\r' | b'\n') if self.at > self.target => {
                    return Err((Rule::VersionText, self.at));
                }
                Some(_) => return Err((Rule::Target, self.at)),
                None => return Ok(None),
            }
            self.target_end = self.at;
            self.at += 1;
            self.step = Step::Version;
        }
        if self.step == Step::Version {
            let Some(version) = Version::read(bytes, self.at)? else {
                return Ok(None);
            };
            self.version = version;
            self.at += version.as_str().len();
            self.step = Step::CarriageReturn;
        }
        if self.step == Step::CarriageReturn {
            match bytes.get(self.at) {
                Some(b'\r') => {}
                Some(b'\n') => return Err((Rule::BareLf, self.at)),
                Some(_) => return Err((Rule::VersionText, self.at)),
                None => return Ok(None),
            }
            self.at += 1;
            self.step = Step::LineFeed;
        }
        match bytes.get(self.at) {
            Some(b'\n') => Ok(Some(self.at + 1)),
            Some(_) => Err((Rule::BareCr, self.at)),
            None => Ok(None),
        }
    }
}
