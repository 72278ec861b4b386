//! From a file to its response: conditions first, then ranges (RFC 9110 13.2.2, 14.2).

use std::rc::Rc;

use http::{HeaderValue, StatusCode};
use ropewalk_core::buffer::FileRange;
use ropewalk_grammar::http1::{Method, Name};

use super::cache::{Content, Served};
use crate::body::{Body, Piece};
use crate::conditional::{Conditions, Validators, Verdict};
use crate::error_page::error_page;
use crate::range::{ByteRange, ByteRanges, Selection, unsatisfied_range};
use crate::request::Request;
use crate::response::Response;

impl Served {
    /// What a request is answered with.
    pub(super) fn answer(&self, request: &Request) -> Result<Response, StatusCode> {
        let conditions = Conditions {
            if_match: request.header(Name::IfMatch),
            if_unmodified_since: request.header(Name::IfUnmodifiedSince),
            if_none_match: request.header(Name::IfNoneMatch),
            if_modified_since: request.header(Name::IfModifiedSince),
            if_range: request.header(Name::IfRange),
        };
        let now = Validators {
            etag: Some(&self.etag),
            modified: Some(self.stat.modified),
        };
        match conditions.judge(&now, true) {
            Verdict::Proceed => {}
            Verdict::NotModified => {
                let unmodified = Response::empty(StatusCode::NOT_MODIFIED);
                return Ok(self.validated(unmodified));
            }
            Verdict::PreconditionFailed => {
                return Ok(error_page(StatusCode::PRECONDITION_FAILED, None));
            }
        }
        // Only GET has ranges (RFC 9110 14.2).
        let range = match request.head().method() {
            Method::Get => request.header(Name::Range),
            _ => None,
        };
        let selection = match range {
            Some(range) if conditions.allows_range(&now) => Selection::of(range, self.stat.length),
            _ => Selection::Whole,
        };
        self.select(selection, request)
    }

    fn select(&self, selection: Selection, request: &Request) -> Result<Response, StatusCode> {
        match selection {
            Selection::Whole => {
                let body = Body::joined([self.piece(0, self.stat.length)?]);
                Ok(self.described(Response::new(body)))
            }
            Selection::One(range) => {
                let body = Body::joined([self.range(range)?]);
                let mut part = Response::new(body).with_status(StatusCode::PARTIAL_CONTENT);
                set_content_range(&mut part, &range.content_range(self.stat.length));
                Ok(self.described(part))
            }
            Selection::Many(ranges) => self.parts(ranges, request),
            Selection::Unsatisfiable => {
                let mut refusal = error_page(StatusCode::RANGE_NOT_SATISFIABLE, None);
                set_content_range(&mut refusal, &unsatisfied_range(self.stat.length));
                Ok(refusal)
            }
        }
    }

    fn parts(&self, ranges: Vec<ByteRange>, request: &Request) -> Result<Response, StatusCode> {
        let content_type = self.content_type.to_str().ok();
        let random = request.reactor().random_bytes();
        let frame = ByteRanges::new(ranges, self.stat.length, content_type, random);
        let mut pieces = Vec::with_capacity(2 * frame.ranges().len() + 1);
        for (index, range) in frame.ranges().iter().enumerate() {
            pieces.push(Piece::Bytes(frame.head(index).into()));
            pieces.push(self.range(*range)?);
        }
        pieces.push(Piece::Bytes(frame.end().into()));
        let mut parts =
            Response::new(Body::joined(pieces)).with_status(StatusCode::PARTIAL_CONTENT);
        parts = self.described(parts);
        let content_type = HeaderValue::try_from(frame.content_type());
        let content_type = content_type.expect("a boundary has no controls");
        parts
            .headers_mut()
            .replace(Name::ContentType.into(), content_type);
        Ok(parts)
    }

    fn range(&self, range: ByteRange) -> Result<Piece, StatusCode> {
        self.piece(range.first, range.len())
    }

    fn piece(&self, first: u64, length: u64) -> Result<Piece, StatusCode> {
        // Only where addresses are short can a file be too long.
        let length = usize::try_from(length).map_err(|_| StatusCode::NOT_IMPLEMENTED)?;
        Ok(match &self.content {
            Content::Memory(bytes) => {
                let first = first as usize;
                Piece::Bytes(bytes.slice(first..first + length))
            }
            Content::File(source) => Piece::File(FileRange::new(Rc::clone(source), first, length)),
        })
    }

    /// With the headers of a representation.
    fn described(&self, response: Response) -> Response {
        let mut response = self.validated(response);
        let headers = response.headers_mut();
        headers.push(Name::ContentType.into(), self.content_type.clone());
        if let Some(encoding) = &self.encoding {
            headers.push(Name::ContentEncoding.into(), encoding.clone());
        }
        headers.push(Name::AcceptRanges.into(), HeaderValue::from_static("bytes"));
        response
    }

    /// With the headers that 304 has, too.
    fn validated(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        headers.push(Name::Etag.into(), self.etag_value.clone());
        headers.push(Name::LastModified.into(), self.modified.clone());
        response
    }
}

fn set_content_range(response: &mut Response, text: &str) {
    let value = HeaderValue::try_from(text).expect("a range is digits and signs");
    response
        .headers_mut()
        .push(Name::ContentRange.into(), value);
}
