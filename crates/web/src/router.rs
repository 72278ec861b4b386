//! Functions at patterns of paths, for those who prefer them to a tree of resources.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use http::StatusCode;

use crate::error_page::not_allowed;
use crate::handler::Handler;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::{Request, decoded, slash};
use crate::resource::{Resource, options, serve};

/// Routes: a pattern and a method to a [`Handler`].
///
/// In a pattern `{name}` stands for one segment that is not empty, and `{name*}`, at the end, for all the rest. What is literal
/// comes before what is not; the segments of a request are split first and decoded then (R145). A router is a leaf of the
/// tree, and the tree can go on below it by [`mount`](Self::mount).
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Failure, Request, Router, Site};
///
/// async fn double(request: Request) -> Result<String, Failure> {
///     let number: u32 = request.param("number")?;
///     Ok((number * 2).to_string())
/// }
///
/// let router = Router::new()
///     .get("/", |_: &Request| "ask for /double/7")
///     .get("/double/{number}", double);
/// let mut client = StringTransport::builder().factory(Site::new(router));
/// client.receive("GET /double/21 HTTP/1.1\r\nHost: a\r\n\r\nGET /double/x HTTP/1.1\r\nHost: a\r\n\r\n");
/// client.settle();
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert!(sent.contains("\r\n\r\n42HTTP/1.1 404 "), "{sent}");
/// ```
#[derive(Default)]
pub struct Router {
    root: Node,
}

#[derive(Default)]
struct Node {
    literals: BTreeMap<Box<str>, Node>,
    /// The literal of no letters, where a path ends with a slash. It is apart since comparing no bytes is slow: glibc's `memcmp` for
    /// AVX-512 looks at where they would lie, which is nowhere, and some processors take 300 cycles to overlook that.
    empty: Option<Box<Node>>,
    param: Option<(Rc<str>, Box<Node>)>,
    rest: Option<(Rc<str>, Route)>,
    route: Route,
    mounted: Option<Rc<dyn Resource>>,
}

#[derive(Default)]
struct Route {
    handlers: Vec<(Methods, Boxed)>,
}

type Boxed = Box<dyn Fn(&Request) -> Reply>;

/// Where a path leads.
enum Found<'a> {
    Route(&'a Route),
    Mounted(&'a Rc<dyn Resource>),
}

impl Router {
    /// No routes: 404.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A route for GET, and so for HEAD.
    #[must_use]
    pub fn get<K>(self, pattern: &str, handler: impl Handler<K>) -> Self {
        self.on(Methods::GET, pattern, handler)
    }

    /// A route for POST.
    #[must_use]
    pub fn post<K>(self, pattern: &str, handler: impl Handler<K>) -> Self {
        self.on(Methods::POST, pattern, handler)
    }

    /// A route for PUT.
    #[must_use]
    pub fn put<K>(self, pattern: &str, handler: impl Handler<K>) -> Self {
        self.on(Methods::PUT, pattern, handler)
    }

    /// A route for DELETE.
    #[must_use]
    pub fn delete<K>(self, pattern: &str, handler: impl Handler<K>) -> Self {
        self.on(Methods::DELETE, pattern, handler)
    }

    /// A route for PATCH.
    #[must_use]
    pub fn patch<K>(self, pattern: &str, handler: impl Handler<K>) -> Self {
        self.on(Methods::PATCH, pattern, handler)
    }

    /// A route for these methods. A handler for a method that has one already replaces it there.
    ///
    /// # Panics
    ///
    /// When the pattern does not begin with a slash, has an odd brace, or something behind `{name*}`.
    #[must_use]
    pub fn on<K>(mut self, methods: Methods, pattern: &str, handler: impl Handler<K>) -> Self {
        let route = self.root.route_at(pattern);
        route
            .handlers
            .push((methods, Box::new(move |request| handler.handle(request))));
        self
    }

    /// A resource, and all that is below it, at a pattern without `{name*}`.
    ///
    /// # Panics
    ///
    /// As [`on`](Self::on).
    #[must_use]
    pub fn mount(mut self, pattern: &str, resource: impl Resource) -> Self {
        let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
        self.root.node_at(pattern, pattern).mounted = Some(Rc::new(resource));
        self
    }

    /// Finds where the rest of the path leads, notes parameters, and passes the segments that led there.
    fn find<'a>(&'a self, request: &Request) -> Result<Option<Found<'a>>, StatusCode> {
        let rest = request.rest();
        let mut node = &self.root;
        let mut mounted: Option<(&'a Rc<dyn Resource>, usize)> = None;
        let mut segments = 0;
        let mut left = rest.strip_prefix('/');
        while let Some(path) = left {
            if let Some(resource) = &node.mounted {
                mounted = Some((resource, segments));
            }
            if let Some((name, route)) = &node.rest
                && !node.leads_on(path)
            {
                request.add_param(name, decode(path)?.into_owned());
                request.pass_all();
                return Ok(Some(Found::Route(route)));
            }
            let (segment, behind) = match slash(path) {
                Some(end) => (&path[..end], Some(&path[end + 1..])),
                None => (path, None),
            };
            let segment = decode(segment)?;
            match (node.literal(&segment), &node.param) {
                (Some(next), _) => node = next,
                (None, Some((name, next))) if !segment.is_empty() => {
                    request.add_param(name, segment.into_owned());
                    node = next;
                }
                _ => return Ok(found_above(mounted, request)),
            }
            (left, segments) = (behind, segments + 1);
        }
        if !node.route.handlers.is_empty() {
            request.pass_all();
            return Ok(Some(Found::Route(&node.route)));
        }
        if let Some(resource) = &node.mounted {
            mounted = Some((resource, segments));
        }
        Ok(found_above(mounted, request))
    }
}

/// The last resource that was passed.
fn found_above<'a>(
    mounted: Option<(&'a Rc<dyn Resource>, usize)>,
    request: &Request,
) -> Option<Found<'a>> {
    let (resource, segments) = mounted?;
    for _ in 0..segments {
        request.pass_segment();
    }
    Some(Found::Mounted(resource))
}

fn decode(segment: &str) -> Result<std::borrow::Cow<'_, str>, StatusCode> {
    decoded(segment).map_err(|_| StatusCode::BAD_REQUEST)
}

impl Node {
    /// Whether something else than the rest is meant by the next segment.
    fn leads_on(&self, path: &str) -> bool {
        let segment = &path[..slash(path).unwrap_or(path.len())];
        self.literal(segment).is_some()
    }

    fn literal(&self, segment: &str) -> Option<&Self> {
        match segment {
            "" => self.empty.as_deref(),
            _ => self.literals.get(segment),
        }
    }

    fn route_at(&mut self, pattern: &str) -> &mut Route {
        let end = pattern.rfind('/').unwrap_or(0);
        match rest_name(&pattern[end..]) {
            Some(name) => {
                let node = self.node_at(&pattern[..end], pattern);
                &mut node
                    .rest
                    .get_or_insert_with(|| (name.into(), Route::default()))
                    .1
            }
            None => &mut self.node_at(pattern, pattern).route,
        }
    }

    fn node_at(&mut self, path: &str, pattern: &str) -> &mut Self {
        if path.is_empty() {
            return self;
        }
        let Some(path) = path.strip_prefix('/') else {
            panic!("the pattern '{pattern}' must begin with a slash");
        };
        let mut node = self;
        for segment in path.split('/') {
            node = match param_name(segment) {
                Some(name) => {
                    let param = node
                        .param
                        .get_or_insert_with(|| (name.into(), Box::default()));
                    assert!(
                        *param.0 == *name,
                        "the pattern '{pattern}' calls a parameter '{name}' that another calls '{}'; give both the same name",
                        param.0
                    );
                    &mut param.1
                }
                None if segment.contains(['{', '}']) => panic!(
                    "the pattern '{pattern}' has a brace in '{segment}'; a parameter is a whole segment, as in /items/{{id}}, and \
                     {{name*}} stands at the end"
                ),
                None if segment.is_empty() => node.empty.get_or_insert_default(),
                None => node.literals.entry(segment.into()).or_default(),
            };
        }
        node
    }
}

/// `{name}`
fn param_name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['{', '}', '*'])).then_some(name)
}

/// `/{name*}`
fn rest_name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix("/{")?.strip_suffix("*}")?;
    (!name.is_empty() && !name.contains(['{', '}', '*'])).then_some(name)
}

impl Route {
    fn methods(&self) -> Methods {
        let methods = self.handlers.iter().map(|(methods, _)| *methods);
        methods.fold(Methods::NONE, Methods::and)
    }

    fn render(&self, request: &Request) -> Reply {
        let Some(method) = request.asks_for() else {
            return StatusCode::NOT_IMPLEMENTED.into();
        };
        if method == Methods::NONE {
            return options(self.methods()).into();
        }
        let mut handlers = self.handlers.iter().rev();
        match handlers.find(|(methods, _)| methods.contains(method)) {
            Some((_, handler)) => handler(request),
            None => not_allowed(self.methods()).into(),
        }
    }
}

impl Resource for Router {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        match self.find(request) {
            Ok(Some(Found::Route(route))) => route.render(request),
            Ok(Some(Found::Mounted(resource))) => serve(&**resource, request),
            Ok(None) => StatusCode::NOT_FOUND.into(),
            Err(status) => status.into(),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Router").field(&self.root).finish()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        if !self.route.handlers.is_empty() {
            map.entry(&"", &self.route.methods());
        }
        map.entries(self.empty.iter().map(|node| ("/", node)));
        map.entries(&self.literals);
        map.entries(self.param.as_ref().map(|(name, node)| (name, node)));
        map.finish()
    }
}
