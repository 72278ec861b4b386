//! Sessions that live on the server (R150).
//!
//! ```text
//!   cookie: 32 random bytes in hexadecimal ──► Sessions ──► Session: values, callbacks, a timer
//! ```
//!
//! Not for: several processes, or a restart; there a session is in the browser ([`SealedSessions`](crate::SealedSessions)) or in a
//! database, by its id.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;
use ropewalk_grammar::http1::Name;

use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;
use crate::session::Session;
use crate::session_error::SessionError;
use crate::set_cookie::SetCookie;
use crate::wrapped::Wrapped;

/// The sessions of a site. Clones are the same sessions.
///
/// The cookie is `HttpOnly` and `SameSite=Lax`; on encrypted connections it is another one, `Secure` and `__Host-`, so that who reads
/// the plain one learns nothing of the other (R150).
///
/// At most 10 000 are kept, against those who ask for one after the other: a new one then takes the place of the oldest that its
/// client has not come back with, and if all have, it is refused with 503. Nobody who uses a session loses it so.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Failure, Request, Router, Sessions, Site};
///
/// fn count(request: &Request) -> Result<String, Failure> {
///     let session = request.session()?;
///     let visits = session.get::<u32>().map_or(1, |visits| *visits + 1);
///     session.set(visits);
///     Ok(format!("visit {visits}"))
/// }
///
/// let root = Sessions::new().wrap(Router::new().get("/", count));
/// let mut client = StringTransport::builder().factory(Site::new(root));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let first = String::from_utf8(client.take_sent()).unwrap();
/// let (_, cookie) = first.split_once("Set-Cookie: ").unwrap();
/// let (cookie, _) = cookie.split_once(';').unwrap();
/// client.receive(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
/// assert!(client.take_sent().ends_with(b"\r\n\r\nvisit 2"));
/// ```
#[derive(Clone)]
pub struct Sessions(Rc<Store>);

pub(crate) struct Store {
    expiry: Duration,
    most: usize,
    held: RefCell<Held>,
}

#[derive(Default)]
struct Held {
    sessions: HashMap<Key, Session>,
    /// Those whose clients had not come back when they were last looked at, oldest first.
    newcomers: VecDeque<Key>,
}

/// The bytes of an id, and whether it is for encrypted connections.
pub(crate) type Key = ([u8; 32], bool);

/// The session of a request, once somebody asked for it.
struct Current(Session);

impl Sessions {
    /// Sessions that end 15 minutes after they were last used, at most 10 000.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Duration::from_secs(15 * 60), 10_000)
    }

    fn with(expiry: Duration, most: usize) -> Self {
        Self(Rc::new(Store {
            expiry,
            most,
            held: RefCell::default(),
        }))
    }

    /// None yet, ending so long after they were last used.
    #[must_use]
    pub fn with_expiry(self, expiry: Duration) -> Self {
        Self::with(expiry, self.0.most)
    }

    /// None yet, at most so many.
    #[must_use]
    pub fn with_limit(self, most: usize) -> Self {
        Self::with(self.0.expiry, most)
    }

    /// Gives `inner` and what is below it [`Request::session`].
    pub fn wrap<R: Resource>(&self, inner: R) -> impl Resource + use<R> {
        let sessions = self.clone();
        Wrapped::new(inner, move |request: &Request| {
            request.set(sessions.clone());
            None
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.held.borrow().sessions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The session that the client comes with, if it has one.
    fn find(&self, request: &Request) -> Option<Session> {
        let is_secure = request.scheme() == "https";
        let id = parse_id(request.cookie(cookie_name(is_secure))?)?;
        let session = self
            .0
            .held
            .borrow()
            .sessions
            .get(&(id, is_secure))
            .cloned()?;
        session.welcome();
        Some(session)
    }

    fn open(&self, request: &Request) -> Result<Session, SessionError> {
        self.0.make_room()?;
        let key = (
            request.reactor().random_bytes(),
            request.scheme() == "https",
        );
        let session = Session::new(key, &self.0, self.0.expiry, request.reactor());
        self.0.insert(key, session.clone());
        send_cookie(&session, request);
        Ok(session)
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new()
    }
}

impl Request {
    /// The session of this client, which is made if there is none. It counts as used.
    ///
    /// Ask before the response is made: its head brings the cookie.
    ///
    /// # Errors
    ///
    /// No [`Sessions`] wrap this resource (500), or there are too many (503).
    #[doc(alias = "getSession")]
    pub fn session(&self) -> Result<Session, SessionError> {
        if let Some(session) = self.existing_session()? {
            return Ok(session);
        }
        let sessions = self.get::<Sessions>().ok_or(SessionError::NotWrapped)?;
        let session = sessions.open(self)?;
        self.set(Current(session.clone()));
        Ok(session)
    }

    /// The session of this client, if there is one: for pages that need none. It counts as used.
    ///
    /// # Errors
    ///
    /// No [`Sessions`] wrap this resource (500).
    pub fn existing_session(&self) -> Result<Option<Session>, SessionError> {
        let current = self.get::<Current>();
        if let Some(current) = current.filter(|current| !current.0.is_expired()) {
            return Ok(Some(current.0.clone()));
        }
        let sessions = self.get::<Sessions>().ok_or(SessionError::NotWrapped)?;
        let found = sessions.find(self);
        if let Some(session) = &found {
            self.set(Current(session.clone()));
        }
        Ok(found)
    }
}

impl Store {
    pub(crate) fn insert(&self, key: Key, session: Session) {
        let mut held = self.held.borrow_mut();
        held.newcomers.push_back(key);
        held.sessions.insert(key, session);
    }

    pub(crate) fn remove(&self, key: &Key) {
        let mut held = self.held.borrow_mut();
        let removed = held.sessions.remove(key);
        // Most end in the order in which they began.
        while let Some(first) = held.newcomers.front() {
            let waits = held.sessions.get(first).is_some_and(Session::is_new);
            if waits {
                break;
            }
            held.newcomers.pop_front();
        }
        if held.newcomers.len() > 2 * self.most {
            let Held {
                sessions,
                newcomers,
            } = &mut *held;
            newcomers.retain(|key| sessions.get(key).is_some_and(Session::is_new));
        }
        drop(held);
        drop(removed);
    }

    /// Ends the oldest session that nobody came back with, if there are too many.
    fn make_room(&self) -> Result<(), SessionError> {
        while self.held.borrow().sessions.len() >= self.most {
            let first = self.held.borrow_mut().newcomers.pop_front();
            let key = first.ok_or(SessionError::TooMany)?;
            let session = self.held.borrow().sessions.get(&key).cloned();
            if let Some(session) = session.filter(Session::is_new) {
                session.expire();
            }
        }
        Ok(())
    }
}

/// Has the response to this request bring the id.
pub(crate) fn send_cookie(session: &Session, request: &Request) {
    let session = session.clone();
    request.on_response(move |_, response| {
        if session.is_expired() {
            return response;
        }
        let id = session.id();
        with_private_cookie(response, cookie_name(session.is_secure()), &id, None)
    });
}

/// The response with a cookie that is for this client alone, so that no cache gives it to another.
pub(crate) fn with_private_cookie(
    response: Response,
    name: &str,
    value: &str,
    max_age: Option<Duration>,
) -> Response {
    let mut cookie = SetCookie::new(name, value);
    if let Some(max_age) = max_age {
        cookie = cookie.max_age(max_age);
    }
    if !name.starts_with("__Host-") {
        cookie = cookie.dangerous_without_secure();
    }
    let response = response.with_cookie(&cookie);
    let mut response = response.expect("names and values of sessions are safe and short");
    if !response.headers().contains(Name::CacheControl) {
        let private = HeaderValue::from_static("private");
        response
            .headers_mut()
            .replace(Name::CacheControl.into(), private);
    }
    response
}

fn cookie_name(is_secure: bool) -> &'static str {
    match is_secure {
        true => "__Host-session",
        false => "session",
    }
}

fn parse_id(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64
        || !digits
            .iter()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let mut id = [0; 32];
    for (byte, at) in id.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(id)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sessions({})", self.len())
    }
}
