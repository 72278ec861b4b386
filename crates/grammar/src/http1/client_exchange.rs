//! One request and its response, seen from the client.

use super::encode::{send_body_length, send_fields, send_request_line, whole_or_nothing};
use super::outgoing::Outgoing;
use super::{
    AfterExchange, BodyLength, Event, Method, Name, Response, ResponseDecoder, SendError, SendName,
};

/// What may be sent of one request, and what becomes of the connection once it is answered.
///
/// ```
/// use ropewalk_grammar::http1::{AfterExchange, BodyLength, ClientExchange, Method, Name, ResponseDecoder};
///
/// let (mut decoder, mut out) = (ResponseDecoder::new(), Vec::new());
/// let mut exchange = ClientExchange::new(Method::Post);
/// exchange.send_head("/tea", [(Name::Host, "example.com")], BodyLength::Chunked, &mut decoder, &mut out)?;
/// exchange.send_body(b"leaves", &mut out)?;
/// exchange.send_end(&mut out)?;
/// assert!(out.ends_with(b"Transfer-Encoding: chunked\r\n\r\n6\r\nleaves\r\n0\r\n\r\n"));
/// let mut input = decoder.receive(b"HTTP/1.1 204 No Content\r\n\r\n");
/// while let Some(event) = input.next_event() {
///     exchange.received(&event?);
/// }
/// assert_eq!(exchange.after(), AfterExchange::Reuse);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ClientExchange<'a> {
    method: Method<'a>,
    is_persistent: bool,
    /// We hold the body back until we are told 100.
    is_waiting: bool,
    is_switched: bool,
    has_ended: bool,
    outgoing: Outgoing,
}

impl<'a> ClientExchange<'a> {
    /// A request of this method, of which nothing is sent yet.
    pub fn new(method: Method<'a>) -> Self {
        Self {
            method,
            is_persistent: true,
            is_waiting: false,
            is_switched: false,
            has_ended: false,
            outgoing: Outgoing::Unsent,
        }
    }

    /// Closes the connection behind the response, and tells the server so if the head is not sent yet.
    pub fn close(&mut self) {
        self.is_persistent = false;
    }

    /// Sends the head of the request, and tells `decoder` what response to expect.
    ///
    /// `fields` have one `Host`. With `Upgrade` among them the request asks for another protocol. `Connection`,
    /// `Content-Length` and `Transfer-Encoding` are written for you. [`BodyLength::Empty`] is a length of zero where
    /// the method expects content.
    ///
    /// # Errors
    ///
    /// As [`send_request_head`](super::send_request_head), and when the head is sent. Nothing has changed then.
    ///
    /// # Panics
    ///
    /// When `decoder` awaits the response to another request.
    pub fn send_head<N: SendName, V: AsRef<[u8]>>(
        &mut self,
        target: &str,
        fields: impl IntoIterator<Item = (N, V)>,
        body: BodyLength,
        decoder: &mut ResponseDecoder,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.outgoing != Outgoing::Unsent {
            return Err(SendError::Order("a request has one head"));
        }
        let body = match body {
            BodyLength::Empty if self.method.expects_content() => BodyLength::Known(0),
            BodyLength::UntilClose => return Err(SendError::Length),
            body => body,
        };
        let (method, is_persistent) = (self.method, self.is_persistent);
        let sent = whole_or_nothing(out, |out| {
            send_request_line(method, target, out)?;
            let sent = send_fields(fields, &[Name::Connection], out)?;
            if sent.hosts != 1 {
                return Err(SendError::Host);
            }
            send_body_length(body, out);
            let connection: &[u8] = match (is_persistent, sent.upgrade) {
                (true, false) => b"\r\n",
                (true, true) => b"Connection: upgrade\r\n\r\n",
                (false, false) => b"Connection: close\r\n\r\n",
                (false, true) => b"Connection: close, upgrade\r\n\r\n",
            };
            out.extend_from_slice(connection);
            Ok(sent)
        })?;
        decoder.expect(method, sent.upgrade);
        self.is_waiting = sent.expect && body != BodyLength::Empty;
        self.outgoing = Outgoing::announced(body);
        Ok(())
    }

    /// The same without its method, which matters to the head only: for those who keep the exchange longer than the request.
    #[must_use]
    pub fn without_method(self) -> ClientExchange<'static> {
        let Self {
            is_persistent,
            is_waiting,
            is_switched,
            has_ended,
            outgoing,
            method: _,
        } = self;
        ClientExchange {
            method: Method::Get,
            is_persistent,
            is_waiting,
            is_switched,
            has_ended,
            outgoing,
        }
    }

    /// Whether the body should be held back until an interim 100 has come, or a moment has passed: the head has `Expect`.
    pub fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Sends the next bytes of the body.
    ///
    /// # Errors
    ///
    /// When they are more than the head said, or the head is missing, or the end is sent. Nothing is appended then.
    pub fn send_body(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.outgoing.send(data, out)
    }

    /// Appends what must stand before the next `length` bytes of the body, when they are sent otherwise; gives what must
    /// stand behind them.
    ///
    /// # Errors
    ///
    /// As [`send_body`](Self::send_body).
    pub fn send_body_apart(
        &mut self,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<&'static [u8], SendError> {
        Ok(self.outgoing.send_apart(length, out)?.unwrap_or_default())
    }

    /// Ends the request.
    ///
    /// # Errors
    ///
    /// When the body is shorter than the head said, the head is missing, or the end is sent.
    pub fn send_end(&mut self, out: &mut Vec<u8>) -> Result<(), SendError> {
        self.send_trailers([(Name::Etag, b""); 0], out)
    }

    /// Ends the request with trailers, which are sent only behind chunks.
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

    /// Takes note of an event of the response.
    pub fn received(&mut self, event: &Event<'_, Response>) {
        match event {
            Event::Head(head) if head.is_interim() => {
                self.is_waiting &= head.status() != 100;
            }
            Event::Head(head) => {
                self.is_waiting = false;
                self.is_switched = head.is_switch();
                self.is_persistent &= head.is_persistent();
            }
            Event::Body(_) | Event::Trailers(_) => {}
            Event::End => self.has_ended = true,
        }
    }

    /// What becomes of the connection. A response that ends before its request is sent means that the server does not want the rest: close.
    pub fn after(&self) -> AfterExchange {
        match self.outgoing {
            _ if !self.has_ended => AfterExchange::Busy,
            Outgoing::Whole if self.is_switched => AfterExchange::Switch,
            Outgoing::Whole if self.is_persistent => AfterExchange::Reuse,
            _ => AfterExchange::Close,
        }
    }
}
