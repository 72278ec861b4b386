//! Heads of responses that were sent just now, so that the next that are alike are copied.
//!
//! A site answers most requests with a few heads: 200, the second, a type. Writing one checks every name and value; finding
//! it here compares them with what was checked before.

use std::cell::{RefCell, RefMut};

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
    /// One that is not worth keeping: it is there while it is sent, its memory until the next.
    unlike: Option<PreparedHead>,
}

#[derive(Debug)]
struct Kept {
    status: StatusCode,
    headers: Headers,
    second: u64,
    head: PreparedHead,
}

impl RecentHeads {
    /// What `Date` says now, for heads that are put together elsewhere.
    pub(crate) fn date(&self, reactor: &Handle) -> DateText {
        self.date.text(reactor)
    }

    /// Lends the head of this response.
    #[inline]
    pub(crate) fn lend(
        &self,
        response: &Response,
        reactor: &Handle,
    ) -> Result<RefMut<'_, PreparedHead>, SendError> {
        let second = Date::second(reactor);
        let mut heads = self.heads.borrow_mut();
        let found = heads.kept.iter().position(|kept| kept.is_of(response));
        if let Some(index) = found
            && heads.kept[index].second == second
        {
            return Ok(RefMut::map(heads, |heads| &mut heads.kept[index].head));
        }
        let memory = heads.unlike.take().map(PreparedHead::into_memory);
        let memory = memory.unwrap_or_default();
        let head = prepare(memory, response, &self.date.text(reactor))?;
        Ok(RefMut::map(heads, |heads| {
            heads.keep(found, response, second, head)
        }))
    }
}

impl Heads {
    /// In the place of the one that was found, or of the oldest.
    #[cold]
    fn keep(
        &mut self,
        found: Option<usize>,
        response: &Response,
        second: u64,
        head: PreparedHead,
    ) -> &mut PreparedHead {
        if response.headers().len() > KEPT_HEADERS {
            return self.unlike.insert(head);
        }
        let index = found.unwrap_or(self.next);
        if found.is_none() {
            self.next = (self.next + 1) % KEPT;
        }
        let kept = Kept {
            status: response.status(),
            headers: response.headers().clone(),
            second,
            head,
        };
        match self.kept.get_mut(index) {
            Some(place) => *place = kept,
            None => self.kept.push(kept),
        }
        &mut self.kept[index].head
    }
}

impl Kept {
    fn is_of(&self, response: &Response) -> bool {
        self.status == response.status() && self.headers == *response.headers()
    }
}

fn prepare(
    memory: Vec<u8>,
    response: &Response,
    date: &DateText,
) -> Result<PreparedHead, SendError> {
    let mut fields = response.headers().iter();
    let has_date = fields.any(|(name, _)| name.known() == Some(Name::Date));
    let date = (!has_date).then_some((Sent::Date, date.text.as_slice()));
    let fields = response.headers().iter();
    let fields = fields.map(|(name, value)| (Sent::Other(name), value.as_bytes()));
    let status = response.status().as_u16();
    PreparedHead::new_in(
        memory,
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
