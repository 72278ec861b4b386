//! One request and its response, seen from the server.

use super::encode::{Ending, send_fields, send_status_line, whole_or_nothing};
use super::outgoing::Outgoing;
use super::response::Asked;
use super::{
    BodyLength, Event, Expect, Name, PreparedHead, Request, RequestHead, SendError, SendName,
    Version,
};

/// What may be answered to one request, and what becomes of the connection then.
///
/// It sees both what comes ([`received`](Self::received)) and what is sent, and holds the one to the other: the body fits the
/// method, the status and the version; `Connection` says what will be done.
///
/// ```
/// use ropewalk_grammar::http1::{AfterExchange, BodyLength, Event, Name, RequestDecoder, ServerExchange};
///
/// let (mut decoder, mut out) = (RequestDecoder::new(), Vec::new());
/// let mut input = decoder.receive(b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
/// let Some(Ok(Event::Head(head))) = input.next_event() else { panic!("a head is there") };
/// let mut exchange = ServerExchange::new(&head);
/// exchange.received(&input.next_event().unwrap()?);
/// exchange.send_head(200, "OK", [(Name::ContentType, "text/plain")], BodyLength::Known(3), &mut out)?;
/// exchange.send_body(b"tea", &mut out)?; // which HEAD does not see
/// exchange.send_end(&mut out)?;
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
/// assert_eq!(exchange.after(), AfterExchange::Close);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ServerExchange {
    asked: Asked,
    version: Version,
    is_persistent: bool,
    /// The client holds its body back until it is told 100.
    is_waiting: bool,
    may_upgrade: bool,
    /// All of the request is here.
    has_ended: bool,
    is_switched: bool,
    outgoing: Outgoing,
}

/// What is to be sent, and what the exchange is then.
#[derive(Clone, Copy)]
struct Plan {
    ending: Ending,
    outgoing: Outgoing,
    is_persistent: bool,
    is_tunnel: bool,
}

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterExchange {
    /// The exchange goes on.
    Busy,
    /// The response is sent, but the request is still coming: read it to its end, or close (H1-13).
    Drain,
    /// A further request may follow. If the decoder [is switched](super::Decoder::is_switched), resume it.
    Reuse,
    /// Close, once all is sent.
    Close,
    /// The bytes that follow are of another protocol; take them from the decoder, and give them to it.
    Switch,
}

impl ServerExchange {
    /// The exchange that `head` begins.
    #[inline]
    pub fn new(head: &RequestHead<'_>) -> Self {
        let is_whole = head.is_whole();
        Self {
            asked: head.asked(),
            version: head.version(),
            is_persistent: head.is_persistent(),
            is_waiting: !is_whole && head.expect() == Expect::Continue,
            may_upgrade: head.upgrade().is_some(),
            has_ended: is_whole,
            is_switched: false,
            outgoing: Outgoing::Unsent,
        }
    }

    /// Takes note of an event of this request: that its body comes without waiting, that it ends.
    #[inline]
    pub fn received(&mut self, event: &Event<'_, Request>) {
        match event {
            Event::Head(_) => {}
            Event::Body(_) | Event::Trailers(_) => self.is_waiting = false,
            Event::End => (self.is_waiting, self.has_ended) = (false, true),
        }
    }

    /// Whether the client holds its body back until it is told to go on (RFC 9110 10.1.1, R136).
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Whether all of the request is here.
    #[inline]
    pub fn is_received(&self) -> bool {
        self.has_ended
    }

    /// Whether all of the response has been sent.
    #[inline]
    pub fn is_answered(&self) -> bool {
        self.outgoing == Outgoing::Whole
    }

    /// Whether the client sees nothing of the body that is being sent, as with HEAD or 304.
    pub fn is_unseen(&self) -> bool {
        self.outgoing == Outgoing::Unseen
    }

    /// Whether the connection is to be closed behind the response.
    pub fn is_persistent(&self) -> bool {
        self.is_persistent
    }

    /// Closes the connection behind the response, which says so if its head is not sent yet.
    pub fn close(&mut self) {
        self.is_persistent = false;
    }

    /// Tells a waiting client to send its body; nothing if none waits, or if the response has begun.
    pub fn send_continue(&mut self, out: &mut Vec<u8>) {
        if self.is_waiting && self.outgoing == Outgoing::Unsent {
            out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.is_waiting = false;
        }
    }

    /// Sends an interim response, such as 103 with early hints (RFC 8297); nothing to HTTP/1.0, which knows none.
    ///
    /// # Errors
    ///
    /// When the status is not from 102 to 199, the response has begun, or a field is wrong.
    pub fn send_interim<N: SendName, V: AsRef<[u8]>>(
        &mut self,
        status: u16,
        fields: impl IntoIterator<Item = (N, V)>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.must_be_unsent()?;
        if !(102..200).contains(&status) {
            return Err(SendError::Status(status));
        }
        if self.version == Version::Http10 {
            return Ok(());
        }
        whole_or_nothing(out, |out| {
            send_status_line(status, super::reason_phrase(status), out)?;
            send_fields(fields, &[Name::Connection, Name::Upgrade], out)?;
            out.extend_from_slice(b"\r\n");
            Ok(())
        })
    }

    /// Agrees to the protocol that the client asked for, which `Upgrade` in `fields` names: 101.
    ///
    /// # Errors
    ///
    /// When it asked for none, its request is not here as a whole (H1-14), the response has begun, `Upgrade` is
    /// missing, or a field is wrong.
    pub fn send_switch<N: SendName, V: AsRef<[u8]>>(
        &mut self,
        fields: impl IntoIterator<Item = (N, V)>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.must_be_unsent()?;
        if !self.may_upgrade || !self.has_ended {
            return Err(SendError::Order(
                "101 answers a whole request that asks for another protocol",
            ));
        }
        whole_or_nothing(out, |out| {
            send_status_line(101, "Switching Protocols", out)?;
            if !send_fields(fields, &[Name::Connection], out)?.upgrade {
                return Err(SendError::Order(
                    "101 names the protocol in the field Upgrade",
                ));
            }
            out.extend_from_slice(b"Connection: upgrade\r\n\r\n");
            Ok(())
        })?;
        (self.outgoing, self.is_switched) = (Outgoing::Whole, true);
        Ok(())
    }

    /// Sends the head of the response; `body` is what the owner has, of which the client gets what its request allows:
    ///
    /// - to HEAD, and with 304 and 204, the head only, without `Transfer-Encoding`, and with `Content-Length` only to HEAD (R137, D14);
    /// - to HTTP/1.0, instead of chunks, bytes until the connection closes;
    /// - [`BodyLength::Empty`] is a length of zero.
    ///
    /// A 2xx to CONNECT makes the connection a tunnel. `Connection: close` is added where the connection is to be closed: because
    /// either side said so, or because the client still holds its body back.
    ///
    /// # Errors
    ///
    /// When the status is not from 200 to 999, the response has begun, or the reason or a field is wrong, which
    /// `Connection`, `Content-Length` and `Transfer-Encoding` are in any case. Nothing has changed then.
    pub fn send_head<N: SendName, V: AsRef<[u8]>>(
        &mut self,
        status: u16,
        reason: &str,
        fields: impl IntoIterator<Item = (N, V)>,
        body: BodyLength,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if status < 200 {
            return Err(SendError::Status(status));
        }
        let plan = self.plan(status, body)?;
        whole_or_nothing(out, |out| {
            send_status_line(status, reason, out)?;
            send_fields(fields, &[Name::Connection], out)?.send_option(out);
            plan.ending.send(out);
            Ok(())
        })?;
        self.follow(plan);
        Ok(())
    }

    /// [`send_head`](Self::send_head) with a head that was checked before.
    ///
    /// # Errors
    ///
    /// When the response has begun. Nothing has changed then.
    pub fn send_prepared_head(
        &mut self,
        head: &mut PreparedHead,
        body: BodyLength,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let plan = self.plan(head.status(), body)?;
        out.extend_from_slice(head.with_ending(plan.ending));
        self.follow(plan);
        Ok(())
    }

    /// Ends the response with this head and this body: gives what is to be sent, one behind the other. The second is empty where the
    /// client must not see the body.
    ///
    /// ```
    /// use ropewalk_grammar::http1::{Event, Name, PreparedHead, RequestDecoder, ServerExchange};
    ///
    /// let mut head = PreparedHead::new(200, "OK", [(Name::ContentType, "text/plain")])?;
    /// let mut decoder = RequestDecoder::new();
    /// let mut input = decoder.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let Some(Ok(Event::Head(request))) = input.next_event() else { panic!("a head is there") };
    /// let parts = ServerExchange::new(&request).send_whole(&mut head, b"tea")?;
    /// assert_eq!(parts.concat(), b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\ntea");
    /// # Ok::<(), ropewalk_grammar::http1::SendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the response has begun. Nothing has changed then.
    #[inline]
    pub fn send_whole<'a>(
        &mut self,
        head: &'a mut PreparedHead,
        body: &'a [u8],
    ) -> Result<[&'a [u8]; 2], SendError> {
        let length = body.len() as u64;
        let plan = self.plan(head.status(), BodyLength::Known(length))?;
        let seen = match plan.outgoing {
            Outgoing::Length(_) => body,
            _ => b"",
        };
        let head = head.with_ending(plan.ending);
        self.follow(plan);
        self.outgoing = Outgoing::Whole;
        Ok([head, seen])
    }

    /// What follows from the request for a response of this status and body.
    #[inline]
    fn plan(&self, status: u16, body: BodyLength) -> Result<Plan, SendError> {
        self.must_be_unsent()?;
        let is_tunnel = self.asked == Asked::Connect && status < 300;
        let (body, outgoing) = self.fitting(status, body, is_tunnel);
        let is_persistent =
            self.is_persistent && !self.is_waiting && outgoing != Outgoing::UntilClose;
        let closes = !is_persistent && !is_tunnel;
        Ok(Plan {
            ending: Ending { body, closes },
            outgoing,
            is_persistent,
            is_tunnel,
        })
    }

    /// The head is sent.
    #[inline]
    fn follow(&mut self, plan: Plan) {
        (self.outgoing, self.is_persistent) = (plan.outgoing, plan.is_persistent);
        if plan.is_tunnel {
            (self.outgoing, self.is_switched) = (Outgoing::Whole, true);
        }
    }

    /// What to say of the body, and what to send of it.
    #[inline]
    fn fitting(&self, status: u16, body: BodyLength, is_tunnel: bool) -> (BodyLength, Outgoing) {
        let body = match body {
            BodyLength::Empty => BodyLength::Known(0),
            BodyLength::Chunked if self.version == Version::Http10 => BodyLength::UntilClose,
            body => body,
        };
        match status {
            204 | 304 => (BodyLength::Empty, Outgoing::Unseen),
            _ if is_tunnel => (BodyLength::Empty, Outgoing::Unseen),
            _ if self.asked != Asked::Head => (body, Outgoing::announced(body)),
            _ if body == BodyLength::Chunked => (BodyLength::Empty, Outgoing::Unseen),
            _ => (body, Outgoing::Unseen),
        }
    }

    /// Sends the next bytes of the body.
    ///
    /// # Errors
    ///
    /// When they are more than the head said, or the head is missing, or the end is sent. Nothing is appended then.
    pub fn send_body(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.outgoing.send(data, out)
    }

    /// Appends what must stand before the next `length` bytes of the body, when they are sent otherwise, as a file or a shared
    /// buffer is. Gives what must stand behind them, or `None` when they must not be sent, as HEAD does not see them.
    ///
    /// # Errors
    ///
    /// As [`send_body`](Self::send_body).
    pub fn send_body_apart(
        &mut self,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<Option<&'static [u8]>, SendError> {
        self.outgoing.send_apart(length, out)
    }

    /// Ends the response.
    ///
    /// # Errors
    ///
    /// When the body is shorter than the head said, the head is missing, or the end is sent.
    pub fn send_end(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.send_trailers([(Name::Etag, b""); 0], out)
    }

    /// Ends the response with trailers, which are sent only behind chunks.
    ///
    /// # Errors
    ///
    /// As [`send_end`](Self::send_end), and when a trailer is wrong or may not be one.
    pub fn send_trailers<N: SendName, V: AsRef<[u8]>>(
        &mut self,
        trailers: impl IntoIterator<Item = (N, V)>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.outgoing.end(trailers, out)
    }

    /// What becomes of the connection.
    #[inline]
    pub fn after(&self) -> AfterExchange {
        match self.outgoing {
            Outgoing::Whole if self.is_switched && self.has_ended => AfterExchange::Switch,
            Outgoing::Whole if self.is_switched => AfterExchange::Busy,
            Outgoing::Whole if !self.is_persistent => AfterExchange::Close,
            Outgoing::Whole if !self.has_ended => AfterExchange::Drain,
            Outgoing::Whole => AfterExchange::Reuse,
            _ => AfterExchange::Busy,
        }
    }

    fn must_be_unsent(&self) -> Result<(), SendError> {
        match self.outgoing {
            Outgoing::Unsent => Ok(()),
            _ => Err(SendError::Order("a response has one head")),
        }
    }
}
