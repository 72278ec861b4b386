//! Tells the access log of requests that are over (R152).
//!
//! A request that was answered has the status of its answer. One whose client left before has 499, as nginx writes it; of one whose
//! client left during the answer the status stands and the bytes are fewer. What broke the rules before it was a request has
//! a line without one.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use ropewalk_core::Transport;
use ropewalk_grammar::http1::{Name, Version};

use super::Stream;
use super::current::Current;
use crate::access_log::{Access, AccessFormat, AccessLog};
use crate::user::User;

/// The client left before it was answered.
const CLIENT_LEFT: u16 = 499;

/// Makes lines, and gives them on.
pub(crate) struct AccessRecorder(RefCell<Recorder>);

struct Recorder {
    log: AccessLog,
    line: Vec<u8>,
    sink: Sink,
}

type Sink = Box<dyn FnMut(&[u8])>;

/// What is noted of a request while it runs.
#[derive(Clone, Copy, Default)]
pub(super) struct Record {
    /// When its head was there; zero where nobody wants to know.
    began: Duration,
    /// What was answered; zero as long as nothing was.
    pub(super) status: u16,
    pub(super) sent_bytes: u64,
}

impl AccessRecorder {
    pub(crate) fn new(format: AccessFormat, sink: impl FnMut(&[u8]) + 'static) -> Self {
        Self(RefCell::new(Recorder {
            log: AccessLog::new(format),
            line: Vec::new(),
            sink: Box::new(sink),
        }))
    }

    fn record(&self, access: &Access<'_>) {
        let Recorder { log, line, sink } = &mut *self.0.borrow_mut();
        line.clear();
        log.write(access, line);
        sink(line);
    }
}

impl Stream {
    pub(super) fn new_record(&self, transport: &Transport) -> Record {
        let began = match &self.site.access {
            Some(_) => transport.reactor().now(),
            None => Duration::ZERO,
        };
        Record {
            began,
            ..Record::default()
        }
    }

    /// A request is over, answered or not.
    pub(super) fn record(&self, current: &Current) {
        let Some(recorder) = &self.site.access else {
            return;
        };
        let (request, record) = (&current.request, &current.record);
        let (head, reactor) = (request.head(), request.reactor());
        let user = request.get::<User>();
        recorder.record(&Access {
            peer: request.client(),
            user: user.as_deref().map(User::name),
            time: reactor.wall_time(),
            method: head.method().as_str(),
            target: head.target_text().as_bytes(),
            version: text_of(head.version()),
            host: head.value(Name::Host),
            status: match record.status {
                0 => CLIENT_LEFT,
                status => status,
            },
            bytes: record.sent_bytes,
            duration: reactor.now().saturating_sub(record.began),
            referer: head.value(Name::Referer),
            user_agent: head.value(Name::UserAgent),
        });
    }

    /// What came was no request.
    pub(super) fn record_refusal(&self, status: u16, bytes: usize, transport: &Transport) {
        if let Some(recorder) = &self.site.access {
            recorder.record(&Access {
                peer: transport.peer().ip(),
                user: None,
                time: transport.reactor().wall_time(),
                method: "",
                target: b"",
                version: "",
                host: None,
                status,
                bytes: bytes as u64,
                duration: Duration::ZERO,
                referer: None,
                user_agent: None,
            });
        }
    }
}

fn text_of(version: Version) -> &'static str {
    match version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    }
}

impl fmt::Debug for AccessRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessRecorder")
    }
}
