//! A resource made of others.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;

/// A node with children that are known beforehand, and perhaps a resource of its own, which answers at the node's own path
/// and may have further children (R146: those that are known come first).
///
/// ```
/// use ropewalk_web::{Branch, Router, Request};
///
/// let mut root = Branch::new();
/// root.put_child("", Router::new().get("/", |_: &Request| "the first page"));
/// root.put_child("api", Branch::new());
/// ```
#[derive(Default)]
pub struct Branch {
    own: Option<Rc<dyn Resource>>,
    children: BTreeMap<Box<str>, Rc<dyn Resource>>,
}

impl Branch {
    /// Without children and without a resource of its own: 404.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Children beside a resource that answers at the node's own path.
    #[must_use]
    pub fn of(own: impl Resource) -> Self {
        Self {
            own: Some(Rc::new(own)),
            children: BTreeMap::new(),
        }
    }

    /// The same with a child. The child `""` answers at the path that ends with a slash.
    #[must_use]
    pub fn with_child(mut self, name: &str, child: impl Resource) -> Self {
        self.put_child(name, child);
        self
    }

    /// Puts a child in the place of the one of its name; names are as they read once decoded.
    #[doc(alias = "putChild")]
    pub fn put_child(&mut self, name: &str, child: impl Resource) {
        self.children.insert(name.into(), Rc::new(child));
    }
}

impl Resource for Branch {
    fn methods(&self) -> Methods {
        self.own.as_ref().map_or(Methods::GET, |own| own.methods())
    }

    fn child(&self, name: &str, request: &Request) -> Option<Rc<dyn Resource>> {
        let known = self.children.get(name).cloned();
        known.or_else(|| self.own.as_ref()?.child(name, request))
    }

    fn render(&self, request: &Request) -> Reply {
        match &self.own {
            Some(own) => own.render(request),
            None => http::StatusCode::NOT_FOUND.into(),
        }
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.children.keys()).finish()
    }
}
