//! Bytes that never change, with a type.

use bytes::Bytes;
use http::HeaderValue;

use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;
use ropewalk_grammar::http1::Name;

/// Fixed bytes of a type: a page, an icon, what is compiled in.
///
/// ```
/// use ropewalk_web::{Branch, Data};
///
/// let robots = Data::new("User-agent: *\nDisallow:\n", "text/plain; charset=utf-8");
/// let tree = Branch::new().with_child("robots.txt", robots);
/// # drop(tree);
/// ```
#[doc(alias = "static.Data")]
#[derive(Clone, Debug)]
pub struct Data {
    bytes: Bytes,
    content_type: HeaderValue,
}

impl Data {
    /// These bytes.
    ///
    /// # Panics
    ///
    /// When the type has a control character.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>, content_type: &'static str) -> Self {
        Self {
            bytes: bytes.into(),
            content_type: HeaderValue::from_static(content_type),
        }
    }
}

impl Resource for Data {
    fn methods(&self) -> Methods {
        Methods::GET
    }

    fn render_get(&self, _: &Request) -> Reply {
        let mut response = Response::new(self.bytes.clone());
        let headers = response.headers_mut();
        headers.push(Name::ContentType.into(), self.content_type.clone());
        response.into()
    }
}
