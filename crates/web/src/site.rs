//! A tree of resources on a port.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use ropewalk_core::{Factory, Protocol, Transport};
use ropewalk_grammar::http1::RequestHead;

use crate::date::Date;
use crate::incoming::Incoming;
use crate::request::Request;
use crate::resource::Resource;
use crate::server::HttpServer;
use crate::site_limits::SiteLimits;

/// Serves a tree of resources by HTTP: a factory, to be given to `listen`. Clones serve the same tree.
///
/// ```
/// use ropewalk_core::Reactor;
/// use ropewalk_sim::SimDriver;
/// use ropewalk_web::{Request, Router, Site};
///
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// reactor.listen("tcp:127.0.0.1:80", Site::new(Router::new().get("/", |_: &Request| "hello")))?;
/// # Ok::<(), ropewalk_core::ListenError>(())
/// ```
#[doc(alias = "HTTPFactory")]
#[derive(Clone)]
pub struct Site(Rc<SiteShared>);

pub(crate) struct SiteShared {
    pub(crate) root: Rc<dyn Resource>,
    pub(crate) limits: SiteLimits,
    pub(crate) date: Date,
    /// Requests whose memory serves the next ones.
    spare: RefCell<Vec<Request>>,
}

/// How many are kept: more are in use at the same time only when answers come later.
const SPARE_REQUESTS: usize = 8;

impl Site {
    /// Serves what is below `root`.
    pub fn new(root: impl Resource) -> Self {
        Self(Rc::new(SiteShared {
            root: Rc::new(root),
            limits: SiteLimits::default(),
            date: Date::default(),
            spare: RefCell::default(),
        }))
    }

    /// The same tree with other limits.
    #[must_use]
    pub fn with_limits(self, limits: SiteLimits) -> Self {
        Self(Rc::new(SiteShared {
            root: Rc::clone(&self.0.root),
            limits,
            date: Date::default(),
            spare: RefCell::default(),
        }))
    }
}

impl SiteShared {
    pub(crate) fn request(
        &self,
        head: &RequestHead<'_>,
        body: Option<Incoming>,
        carrier: &Transport,
    ) -> Request {
        let spare = self.spare.borrow_mut().pop();
        match spare {
            Some(mut spare) => {
                spare.renew(head, body, carrier);
                spare
            }
            None => Request::new(head, body, self, carrier),
        }
    }

    /// A request is over: its memory may serve the next, if nobody has a handle.
    pub(crate) fn recycle(&self, mut request: Request) {
        if request.clear() {
            let mut spare = self.spare.borrow_mut();
            if spare.len() < SPARE_REQUESTS {
                spare.push(request);
            }
        }
    }
}

impl Factory for Site {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(HttpServer::new(&self.0)))
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
