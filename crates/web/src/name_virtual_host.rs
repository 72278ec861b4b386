//! Several sites at one address, told apart by name.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use http::StatusCode;

use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};

/// Trees by the host that is asked for; its port, its case and a dot at its end mean nothing.
///
/// A host that nobody has gets the default, or 404.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{NameVirtualHost, Request, Router, Site};
///
/// let page = |text: &'static str| Router::new().get("/", move |_: &Request| text);
/// let hosts = NameVirtualHost::new()
///     .with_host("tea.example", page("tea"))
///     .with_host("coffee.example", page("coffee"));
/// let mut client = StringTransport::builder().factory(Site::new(hosts));
/// client.receive("GET / HTTP/1.1\r\nHost: Coffee.Example:8080\r\n\r\n");
/// assert!(client.take_sent().ends_with(b"\r\n\r\ncoffee"));
/// ```
#[derive(Default)]
pub struct NameVirtualHost {
    hosts: BTreeMap<Box<str>, Rc<dyn Resource>>,
    default: Option<Rc<dyn Resource>>,
}

impl NameVirtualHost {
    /// No hosts yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a host. One that was there is replaced.
    #[doc(alias = "addHost")]
    #[must_use]
    pub fn with_host(mut self, name: &str, resource: impl Resource) -> Self {
        self.hosts.insert(canonical(name), Rc::new(resource));
        self
    }

    /// The same with what is served to those who ask for another host, or for none.
    #[must_use]
    pub fn with_default(mut self, resource: impl Resource) -> Self {
        self.default = Some(Rc::new(resource));
        self
    }

    fn found(&self, request: &Request) -> Option<&Rc<dyn Resource>> {
        let authority = request.authority();
        let host = authority.and_then(|authority| self.hosts.get(&*canonical(authority.host())));
        host.or(self.default.as_ref())
    }
}

fn canonical(name: &str) -> Box<str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase().into()
}

impl Resource for NameVirtualHost {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        match self.found(request) {
            Some(resource) => serve(&**resource, request),
            None => StatusCode::NOT_FOUND.into(),
        }
    }
}

impl fmt::Debug for NameVirtualHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hosts.keys()).finish()
    }
}
