//! A body of a request that is passed on as far as it is short enough.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::body_error::BodyError;
use crate::incoming::Incoming;

pub(super) struct Limited {
    body: Incoming,
    limit_bytes: u64,
    passed_bytes: u64,
}

impl Limited {
    pub(super) fn new(body: Incoming, limit_bytes: u64) -> Self {
        Self {
            body,
            limit_bytes,
            passed_bytes: 0,
        }
    }
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.passed_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if self.passed_bytes > self.limit_bytes {
                let limit_bytes = self.limit_bytes;
                return Poll::Ready(Some(Err(BodyError::TooLarge { limit_bytes })));
            }
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
