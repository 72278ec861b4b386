//! Functions that answer requests.

use crate::into_response::IntoResponse;
use crate::reply::Reply;
use crate::request::Request;

/// A function that answers a request: `fn(&Request) -> T`, or `async fn(Request) -> T`, where `T` becomes a
/// [`Reply`] or a [`Response`](crate::Response).
///
/// `Kind` only tells the two apart; let the compiler find it.
pub trait Handler<Kind>: 'static {
    /// Answers.
    fn handle(&self, request: &Request) -> Reply;
}

/// Of functions that answer at once, or give a [`Reply`].
#[derive(Debug)]
pub enum Direct {}

/// Of functions that give a future.
#[derive(Debug)]
pub enum Async {}

impl<F, R> Handler<Direct> for F
where
    F: Fn(&Request) -> R + 'static,
    R: Into<Reply>,
{
    fn handle(&self, request: &Request) -> Reply {
        self(request).into()
    }
}

impl<F, R> Handler<Async> for F
where
    F: Fn(Request) -> R + 'static,
    R: Future<Output: IntoResponse> + 'static,
{
    fn handle(&self, request: &Request) -> Reply {
        Reply::from_future(self(request.clone()))
    }
}
