//! Heads of responses that were sent just now, so that the next that are alike are copied.
//!
//! A site answers most requests with a few heads: 200, the second, a type. Writing one checks every name and value; finding
//! it here compares them with what was checked before.

use std::cell::RefCell;

use http::StatusCode;
use ropewalk_core::Handle;
use ropewalk_grammar::http1::{Name, PreparedHead, SendError, SendName, reason_phrase};

use crate::date::{Date, DateText};
use crate::field_name::FieldName;
use crate::headers::Headers;
use crate::response::Response;

/// How many heads are kept, and how many headers one may have beside `Date`: more differ from response to response.
const KEPT: usize = 4;
const KEPT_HEADERS: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct RecentHeads {
    date: Date,
    heads: RefCell<Heads>,
}

#[derive(Debug, Default)]
struct Heads {
    kept: Vec<Kept>,
    next: usize,
}

#[derive(Debug)]
struct Kept {
    status: StatusCode,
    headers: Headers,
    second: u64,
    head: PreparedHead,
}

impl RecentHeads {
    /// Lends the head of this response.
    pub(crate) fn with<R>(
        &self,
        response: &Response,
        reactor: &Handle,
        call: impl FnOnce(&mut PreparedHead) -> R,
    ) -> Result<R, SendError> {
        let heads = &mut *self.heads.borrow_mut();
        let second = Date::second(reactor);
        let mut kept = heads.kept.iter_mut();
        if let Some(kept) = kept.find(|kept| kept.is_of(response)) {
            if kept.second != second {
                kept.head = prepare(response, &self.date.text(reactor))?;
                kept.second = second;
            }
            return Ok(call(&mut kept.head));
        }
        let mut head = prepare(response, &self.date.text(reactor))?;
        let told = call(&mut head);
        if response.headers().len() <= KEPT_HEADERS {
            heads.keep(Kept {
                status: response.status(),
                headers: response.headers().clone(),
                second,
                head,
            });
        }
        Ok(told)
    }
}

impl Heads {
    /// In the place of the oldest.
    fn keep(&mut self, kept: Kept) {
        if self.kept.len() < KEPT {
            self.kept.push(kept);
        } else {
            self.kept[self.next] = kept;
            self.next = (self.next + 1) % KEPT;
        }
    }
}

impl Kept {
    fn is_of(&self, response: &Response) -> bool {
        self.status == response.status() && self.headers == *response.headers()
    }
}

fn prepare(response: &Response, date: &DateText) -> Result<PreparedHead, SendError> {
    let mut fields = response.headers().iter();
    let has_date = fields.any(|(name, _)| name.known() == Some(Name::Date));
    let date = (!has_date).then_some((Sent::Date, date.text.as_slice()));
    let fields = response.headers().iter();
    let fields = fields.map(|(name, value)| (Sent::Other(name), value.as_bytes()));
    let status = response.status().as_u16();
    PreparedHead::new(
        status,
        reason_phrase(status),
        date.into_iter().chain(fields),
    )
}

/// The name of a header: ours, or of the response.
enum Sent<'a> {
    Date,
    Other(&'a FieldName),
}

impl AsRef<[u8]> for Sent<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Date => Name::Date.as_str().as_bytes(),
            Self::Other(name) => name.as_ref(),
        }
    }
}

impl SendName for Sent<'_> {
    fn known(&self) -> Option<Name> {
        match self {
            Self::Date => Some(Name::Date),
            Self::Other(name) => name.known(),
        }
    }
}
