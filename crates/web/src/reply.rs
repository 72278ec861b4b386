//! What a handler gives back: a response, or the promise of one.

use std::fmt;
use std::pin::Pin;

use ropewalk_core::Deferred;

use crate::into_response::IntoResponse;
use crate::response::Response;

/// The answer to a request: now, or later.
///
/// Made by `.into()` from all that is [`IntoResponse`] and from a [`Deferred`] of it; by [`Reply::from_future`]; and by
/// [`Request::respond_later`](crate::Request::respond_later), which is Twisted's `NOT_DONE_YET`.
#[derive(Debug)]
pub struct Reply(pub(crate) When);

pub(crate) enum When {
    Now(Response),
    Future(Pin<Box<dyn Future<Output = Response>>>),
    /// A responder has it.
    Later,
}

impl Reply {
    /// What a future will have. It is dropped, or what it waits for is cancelled, when the client leaves.
    pub fn from_future<F>(future: F) -> Self
    where
        F: Future<Output: IntoResponse> + 'static,
    {
        Self(When::Future(Box::pin(async {
            future.await.into_response()
        })))
    }
}

impl<T: IntoResponse> From<T> for Reply {
    fn from(answer: T) -> Self {
        Self(When::Now(answer.into_response()))
    }
}

impl<T: IntoResponse + 'static> From<Deferred<T>> for Reply {
    fn from(answer: Deferred<T>) -> Self {
        Self::from_future(answer)
    }
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(response) => fmt::Debug::fmt(response, f),
            Self::Future(_) => f.write_str("Future"),
            Self::Later => f.write_str("Later"),
        }
    }
}
