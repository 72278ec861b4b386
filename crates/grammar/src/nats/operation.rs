//! Operations, as values.

use super::NatsGrammar;
use super::error::NatsError;
use crate::wire_line::number;

/// What one end says to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// The server, as JSON: first of all, and when the cluster changes.
    Info(&'a str),
    /// The client, as JSON.
    Connect(&'a str),
    /// The client sends to all who subscribed.
    Pub {
        /// To what.
        subject: &'a str,
        /// Where answers are awaited.
        reply: Option<&'a str>,
        /// What.
        payload: &'a [u8],
    },
    /// The client subscribes.
    Sub {
        /// To what; it may have wildcards.
        subject: &'a str,
        /// Of those with the same queue only one gets a message.
        queue: Option<&'a str>,
        /// What deliveries will have as theirs.
        id: &'a str,
    },
    /// The client subscribes no more.
    Unsub {
        /// What it subscribed with.
        id: &'a str,
        /// After so many messages; else at once.
        after: Option<u64>,
    },
    /// The server delivers.
    Msg(Delivery<'a>),
    /// To be answered with a pong.
    Ping,
    /// The answer to a ping: what was said before it has been heard.
    Pong,
    /// All is well, for clients that are verbose.
    Ok,
    /// Something is wrong.
    Err(&'a str),
}

/// A message from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// What it was published to.
    pub subject: &'a str,
    /// Which subscription it is for.
    pub id: &'a str,
    /// Where answers are awaited.
    pub reply: Option<&'a str>,
    /// What was published.
    pub payload: &'a [u8],
}

impl Operation<'_> {
    /// Whether it can be said.
    pub(super) fn check(&self) -> Result<(), NatsError> {
        let fits = |around: &str, text: &str| {
            around.len() + text.len() <= NatsGrammar::LINE_BYTES && is_line(text)
        };
        let is_json = |text: &str| text.starts_with('{') && text.ends_with('}');
        let is_plain = |subject: &&str| is_subject(subject, false);
        let is_right = match self {
            Self::Info(json) => is_json(json) && fits("INFO ", json),
            Self::Connect(json) => is_json(json) && fits("CONNECT ", json),
            Self::Pub { subject, reply, .. } => {
                is_plain(subject) && reply.as_ref().is_none_or(is_plain)
            }
            Self::Msg(message) => {
                let reply = message.reply.as_ref();
                is_plain(&message.subject) && reply.is_none_or(is_plain) && is_name(message.id)
            }
            Self::Sub { subject, queue, id } => {
                is_subject(subject, true) && queue.is_none_or(is_name) && is_name(id)
            }
            Self::Unsub { id, after } => {
                let is_short = |after: u64| number(after.to_string().as_bytes()).is_some();
                is_name(id) && after.is_none_or(is_short)
            }
            Self::Err(why) => fits("-ERR ''", why),
            Self::Ping | Self::Pong | Self::Ok => true,
        };
        is_right.then_some(()).ok_or(NatsError::Unsayable)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Info(json) => line(out, &["INFO", json]),
            Self::Connect(json) => line(out, &["CONNECT", json]),
            Self::Pub {
                subject,
                reply,
                payload,
            } => counted(out, &["PUB", subject], *reply, payload),
            Self::Msg(message) => {
                let words = ["MSG", message.subject, message.id];
                counted(out, &words, message.reply, message.payload);
            }
            Self::Sub {
                subject,
                queue: Some(queue),
                id,
            } => line(out, &["SUB", subject, queue, id]),
            Self::Sub { subject, id, .. } => line(out, &["SUB", subject, id]),
            Self::Unsub { id, after: None } => line(out, &["UNSUB", id]),
            Self::Unsub {
                id,
                after: Some(after),
            } => line(out, &["UNSUB", id, &after.to_string()]),
            Self::Ping => line(out, &["PING"]),
            Self::Pong => line(out, &["PONG"]),
            Self::Ok => line(out, &["+OK"]),
            Self::Err(why) => {
                out.extend_from_slice(b"-ERR '");
                out.extend_from_slice(why.as_bytes());
                out.extend_from_slice(b"'\r\n");
            }
        }
    }
}

fn line(out: &mut Vec<u8>, words: &[&str]) {
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn counted(out: &mut Vec<u8>, words: &[&str], reply: Option<&str>, payload: &[u8]) {
    for word in words.iter().copied().chain(reply) {
        out.extend_from_slice(word.as_bytes());
        out.push(b' ');
    }
    line(out, &[&payload.len().to_string()]);
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

/// Whether a text is a subject: tokens with dots between them, none empty, without blanks and control characters, of at most
/// 1024 bytes. With wildcards, a token may be `*`, and the last one `>`.
#[must_use]
pub fn is_subject(subject: &str, may_have_wildcards: bool) -> bool {
    let is_last = |at: usize| at + 1 == subject.split('.').count();
    let is_token = |(at, token): (usize, &str)| match token {
        "*" => may_have_wildcards,
        ">" => may_have_wildcards && is_last(at),
        token => is_name(token) && !token.contains(['*', '>']),
    };
    subject.len() <= MOST_BYTES && subject.split('.').enumerate().all(is_token)
}

/// A name of at most so many bytes fits into the lines of every server.
const MOST_BYTES: usize = 1024;

pub(super) fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte > b' ' && byte != 0x7f;
    (1..=MOST_BYTES).contains(&name.len()) && name.bytes().all(is_word)
}

/// Whether a text may stand in a line: it has no control characters but tabs.
pub(super) fn is_line(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' || byte == b'\t')
}
