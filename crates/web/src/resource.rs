//! What there is at a path.

use std::rc::Rc;

use http::StatusCode;
use ropewalk_grammar::http1::Method;

use crate::error_page::not_allowed;
use crate::into_response::IntoResponse;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::response::Response;

/// A node of the tree that a site serves: it answers requests, and knows its children.
///
/// A request walks down from the root, a segment of its path at a time, to the resource that answers it (R146):
/// [`child`](Self::child) is asked for the next segment, unless the resource [is a leaf](Self::is_leaf) or the path ends. A
/// path that ends with a slash has an empty last segment.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Branch, Methods, Reply, Request, Resource, Site};
///
/// struct Hello;
///
/// impl Resource for Hello {
///     fn methods(&self) -> Methods {
///         Methods::GET
///     }
///     fn render_get(&self, _: &Request) -> Reply {
///         "Hello, Twisted.web!".into()
///     }
/// }
///
/// let site = Site::new(Branch::new().with_child("hello", Hello));
/// let mut client = StringTransport::builder().factory(site);
/// client.receive("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert!(client.take_sent().ends_with(b"\r\n\r\nHello, Twisted.web!"));
/// ```
#[doc(alias = "IResource")]
pub trait Resource: 'static {
    /// What it can be asked for. All else is answered for it: 405 and `Allow`, OPTIONS, 501 for methods that nobody knows (R147).
    #[doc(alias = "allowedMethods")]
    fn methods(&self) -> Methods;

    /// Whether it answers for all paths below its own, which are then in [`Request::rest`].
    #[doc(alias = "isLeaf")]
    fn is_leaf(&self) -> bool {
        false
    }

    /// The resource of this name below this one, decoded; none is a 404.
    #[doc(alias = "getChild")]
    fn child(&self, name: &str, request: &Request) -> Option<Rc<dyn Resource>> {
        let _ = (name, request);
        None
    }

    /// Answers a request whose method is among [`methods`](Self::methods): calls the one of the others that is for it. Override it to
    /// treat all methods alike.
    fn render(&self, request: &Request) -> Reply {
        match request.head().method() {
            Method::Get => self.render_get(request),
            Method::Head => self.render_head(request),
            Method::Post => self.render_post(request),
            Method::Put => self.render_put(request),
            Method::Delete => self.render_delete(request),
            Method::Patch => self.render_patch(request),
            Method::Options => self.render_options(request),
            _ => StatusCode::NOT_IMPLEMENTED.into(),
        }
    }

    /// Answers GET.
    #[doc(alias = "render_GET")]
    fn render_get(&self, request: &Request) -> Reply {
        let _ = request;
        not_allowed(self.methods()).into()
    }

    /// Answers HEAD: as GET, whose body is left out by whoever sends it.
    #[doc(alias = "render_HEAD")]
    fn render_head(&self, request: &Request) -> Reply {
        self.render_get(request)
    }

    /// Answers POST.
    #[doc(alias = "render_POST")]
    fn render_post(&self, request: &Request) -> Reply {
        let _ = request;
        not_allowed(self.methods()).into()
    }

    /// Answers PUT.
    #[doc(alias = "render_PUT")]
    fn render_put(&self, request: &Request) -> Reply {
        let _ = request;
        not_allowed(self.methods()).into()
    }

    /// Answers DELETE.
    #[doc(alias = "render_DELETE")]
    fn render_delete(&self, request: &Request) -> Reply {
        let _ = request;
        not_allowed(self.methods()).into()
    }

    /// Answers PATCH.
    #[doc(alias = "render_PATCH")]
    fn render_patch(&self, request: &Request) -> Reply {
        let _ = request;
        not_allowed(self.methods()).into()
    }

    /// Answers OPTIONS: what there is.
    #[doc(alias = "render_OPTIONS")]
    fn render_options(&self, request: &Request) -> Reply {
        let _ = request;
        options(self.methods()).into()
    }
}

impl Resource for Rc<dyn Resource> {
    fn methods(&self) -> Methods {
        (**self).methods()
    }
    fn is_leaf(&self) -> bool {
        (**self).is_leaf()
    }
    fn child(&self, name: &str, request: &Request) -> Option<Rc<dyn Resource>> {
        (**self).child(name, request)
    }
    fn render(&self, request: &Request) -> Reply {
        (**self).render(request)
    }
}

/// Walks down from `root` to the resource that answers, and has it answer.
pub(crate) fn serve(root: &dyn Resource, request: &Request) -> Reply {
    let mut found: Option<Rc<dyn Resource>> = None;
    loop {
        let here = found.as_deref().unwrap_or(root);
        if here.is_leaf() {
            return answer(here, request);
        }
        let below = match request.next_segment() {
            Ok(None) => return answer(here, request),
            Ok(Some(name)) => here.child(&name, request),
            Err(_) => return StatusCode::BAD_REQUEST.into(),
        };
        let Some(below) = below else {
            return StatusCode::NOT_FOUND.into();
        };
        request.pass_segment();
        found = Some(below);
    }
}

/// Has a resource answer, if it has the method.
pub(crate) fn answer(resource: &dyn Resource, request: &Request) -> Reply {
    let methods = resource.methods();
    match request.asks_for() {
        Some(method) if methods.contains(method) => resource.render(request),
        Some(_) => not_allowed(methods).into(),
        None => StatusCode::NOT_IMPLEMENTED.into(),
    }
}

/// 204 and `Allow`.
pub(crate) fn options(methods: Methods) -> Response {
    StatusCode::NO_CONTENT.into_response().allowing(methods)
}
