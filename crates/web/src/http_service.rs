//! Handlers that speak the types of the crate `http`.

use std::fmt;
use std::rc::Rc;

use http::StatusCode;
use http::uri::InvalidUri;

use crate::body::Body;
use crate::incoming::Incoming;
use crate::into_response::IntoResponse;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;

/// Answers by a function of an [`http::Request`], for all paths below its own: where what is written for other servers is put in.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Branch, Failure, HttpService, Incoming, Site};
///
/// async fn echo(request: http::Request<Incoming>) -> Result<http::Response<Incoming>, Failure> {
///     Ok(http::Response::new(request.into_body()))
/// }
///
/// let site = Site::new(Branch::new().with_child("echo", HttpService::new(echo)));
/// let mut client = StringTransport::builder().factory(site);
/// client.receive("POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntea");
/// client.settle();
/// assert!(client.take_sent().ends_with(b"\r\n\r\ntea"));
/// ```
pub struct HttpService(Box<dyn Fn(http::Request<Incoming>) -> Reply>);

impl HttpService {
    /// Answers what `call` gives. The address of the client is among the extensions of its request, as
    /// [`Address`](ropewalk_core::Address).
    pub fn new<F, B, E>(call: impl Fn(http::Request<Incoming>) -> F + 'static) -> Self
    where
        F: Future<Output = Result<http::Response<B>, E>> + 'static,
        B: Into<Body>,
        E: Into<ropewalk_core::Failure>,
    {
        let call = Rc::new(call);
        Self(Box::new(move |request| {
            let answer = call(request);
            Reply::from_future(async {
                match answer.await {
                    Ok(response) => Response::from(response),
                    Err(error) => error.into().into_response(),
                }
            })
        }))
    }
}

impl Resource for HttpService {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        match request.to_http() {
            Ok(request) => (self.0)(request),
            Err(_) => StatusCode::BAD_REQUEST.into(),
        }
    }
}

impl Request {
    /// The same request in the types of the crate `http`, with the same body, and with the peer's
    /// [`Address`](ropewalk_core::Address) among its extensions.
    ///
    /// # Errors
    ///
    /// The target has characters that `http` takes in no URI, although servers let them pass.
    pub fn to_http(&self) -> Result<http::Request<Incoming>, InvalidUri> {
        let mut request = http::Request::new(self.body());
        *request.method_mut() = self.method();
        *request.uri_mut() = self.target().parse()?;
        *request.version_mut() = match self.version() {
            ropewalk_grammar::http1::Version::Http10 => http::Version::HTTP_10,
            ropewalk_grammar::http1::Version::Http11 => http::Version::HTTP_11,
        };
        *request.headers_mut() = self.header_map();
        request.extensions_mut().insert(self.peer().clone());
        Ok(request)
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpService")
    }
}
