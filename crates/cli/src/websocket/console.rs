//! The terminal, or the pipes, that a person or a script talks through: lines in, messages out.

use std::rc::Rc;

use ropewalk::grammar::{Delimiter, Framing, LineEvent, LineGrammar};
use ropewalk::{Protocol, Reason, Transport};

use super::session::Session;

/// Gives lines to a session, as far as it takes them, or all that comes as one. The last line needs no end.
pub(super) struct Console {
    session: Rc<Session>,
    lines: LineGrammar,
    /// All that came so far, if it is to be one message.
    whole: Option<Vec<u8>>,
    limit_bytes: usize,
    has_ended: bool,
}

impl Console {
    /// Lines may have so many bytes, or all together if they are one message.
    pub(super) fn new(session: &Rc<Session>, limit_bytes: usize, is_whole: bool) -> Self {
        let mut lines = LineGrammar::new();
        lines.set_delimiter(Delimiter::LF);
        lines.set_limit_bytes(limit_bytes);
        Self {
            session: Rc::clone(session),
            lines,
            whole: is_whole.then(Vec::new),
            limit_bytes,
            has_ended: false,
        }
    }

    fn deliver(&mut self, transport: &Transport, data: &[u8]) {
        if let Some(whole) = &mut self.whole {
            if whole.len() + data.len() > self.limit_bytes {
                let limit = self.limit_bytes;
                let why = format!("the input has more than {limit} bytes, too many for a message");
                return self.session.fail(why);
            }
            whole.extend_from_slice(data);
            return self.tell_end(transport);
        }
        let mut input = self.lines.receive(data);
        while !transport.is_reading_paused() {
            match input.next_event() {
                None => break,
                Some(Ok(LineEvent::Line(line))) => self.session.line_typed(line),
                Some(Ok(LineEvent::Raw(_))) => {}
                Some(Err(error)) => {
                    input.discard();
                    return self.session.fail(error);
                }
            }
        }
        drop(input);
        self.tell_end(transport);
    }

    fn tell_end(&mut self, transport: &Transport) {
        if !self.has_ended || transport.is_reading_paused() {
            return;
        }
        self.has_ended = false;
        let rest = match self.whole.take() {
            Some(whole) => whole,
            None => self.lines.receive(&[]).take_rest().to_vec(),
        };
        if !rest.is_empty() {
            self.session.line_typed(&rest);
        }
        self.session.input_ended();
    }
}

impl Protocol for Console {
    fn connection_made(&mut self, transport: &Transport) {
        self.session.console_opened(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.deliver(transport, data);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.deliver(transport, &[]);
    }

    fn eof_received(&mut self, transport: &Transport) {
        self.has_ended = true;
        self.tell_end(transport);
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.session.set_console_full(true);
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.session.set_console_full(false);
    }

    /// Nobody reads what comes any more.
    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        self.session.console_lost();
    }
}
