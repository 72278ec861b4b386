//! Sessions that live in the browser, sealed.
//!
//! For: several processes and restarts without a database. Not for: taking a session away from somebody; what is sealed is valid until it
//! expires.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::cookie_keys::CookieKeys;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;
use crate::session_error::SessionError;
use crate::sessions::with_private_cookie;
use crate::wrapped::Wrapped;

/// Sessions without any state here: what they hold is in a cookie that only the holders of the keys can read or write.
///
/// Up to 3000 bytes of JSON. The cookie is written anew when the session changes, when half of its time is over, and when an old key wrote it
/// ([`CookieKeys::with_old`]). Plain and encrypted connections have different cookies, as with [`Sessions`](crate::Sessions).
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{CookieKeys, Failure, Request, Router, SealedSessions, Site};
///
/// fn greet(request: &Request) -> Result<String, Failure> {
///     let session = request.sealed_session()?;
///     let name = session.get("name").unwrap_or_else(|| "stranger".to_owned());
///     session.set("name", "friend")?;
///     Ok(format!("hello {name}"))
/// }
///
/// let keys = CookieKeys::new(b"thirty-two random bytes, no less")?;
/// let root = SealedSessions::new(keys).wrap(Router::new().get("/", greet));
/// let mut client = StringTransport::builder().factory(Site::new(root));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let first = String::from_utf8(client.take_sent()).unwrap();
/// let (_, cookie) = first.split_once("Set-Cookie: ").unwrap();
/// let (cookie, _) = cookie.split_once(';').unwrap();
/// client.receive(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"));
/// assert!(client.take_sent().ends_with(b"\r\n\r\nhello friend"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SealedSessions {
    keys: Rc<CookieKeys>,
    lifetime: Duration,
}

/// What the browser keeps for us, to be read and changed while its request is answered.
#[derive(Clone)]
pub struct SealedSession(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    values: Map<String, Value>,
    /// The client has a cookie.
    was_there: bool,
    must_write: bool,
}

/// How much JSON fits in a cookie of 4096 bytes, sealed and in base64.
const MOST_BYTES: usize = 3000;

impl SealedSessions {
    /// Sessions that end a day after they were last used.
    pub fn new(keys: CookieKeys) -> Self {
        Self {
            keys: Rc::new(keys),
            lifetime: Duration::from_secs(24 * 60 * 60),
        }
    }

    /// The same, ending so long after they were last used; the last half of it may count as unused.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Gives `inner` and what is below it [`Request::sealed_session`].
    pub fn wrap<R: Resource>(&self, inner: R) -> impl Resource + use<R> {
        let sessions = self.clone();
        Wrapped::new(inner, move |request: &Request| {
            request.set(sessions.clone());
            None
        })
    }

    fn open(&self, request: &Request) -> SealedSession {
        let (name, now) = (cookie_name(request), request.reactor().wall_time());
        let opened = request
            .cookie(name)
            .map(|text| self.keys.open(name, text, now));
        let mut state = State {
            was_there: opened.is_some(),
            ..State::default()
        };
        if let Some(Ok(opened)) = opened {
            let left = opened.expires().duration_since(now).unwrap_or_default();
            state.must_write = opened.is_old() || left < self.lifetime / 2;
            state.values = serde_json::from_slice(opened.value()).unwrap_or_default();
        }
        SealedSession(Rc::new(RefCell::new(state)))
    }

    fn write(&self, session: &SealedSession, request: &Request, response: Response) -> Response {
        let (state, name) = (session.0.borrow(), cookie_name(request));
        match (state.must_write, state.values.is_empty()) {
            (true, true) if state.was_there => {
                with_private_cookie(response, name, "", Some(Duration::ZERO))
            }
            (true, false) => {
                let expires = request.reactor().wall_time() + self.lifetime;
                let text = self.keys.seal(name, state.to_json().as_bytes(), expires);
                with_private_cookie(response, name, &text, Some(self.lifetime))
            }
            _ => response,
        }
    }
}

fn cookie_name(request: &Request) -> &'static str {
    match request.scheme() == "https" {
        true => "__Host-sealed",
        false => "sealed",
    }
}

impl Request {
    /// The session that the client brings, or an empty one. A cookie that is forged, over or broken is none.
    ///
    /// Change it before the response is made: its head brings the cookie.
    ///
    /// # Errors
    ///
    /// No [`SealedSessions`] wrap this resource (500).
    pub fn sealed_session(&self) -> Result<SealedSession, SessionError> {
        if let Some(session) = self.get::<SealedSession>() {
            return Ok((*session).clone());
        }
        let sessions = self
            .get::<SealedSessions>()
            .ok_or(SessionError::NotWrapped)?;
        let session = sessions.open(self);
        self.set(session.clone());
        let kept = session.clone();
        self.on_response(move |request, response| sessions.write(&kept, request, response));
        Ok(session)
    }
}

impl SealedSession {
    /// The value of that name, if it is there and of that shape.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.0.borrow().values.get(name).cloned()?;
        serde_json::from_value(value).ok()
    }

    /// Keeps a value under that name.
    ///
    /// # Errors
    ///
    /// It is no JSON, or all together is longer than a cookie can be; nothing has changed then.
    pub fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), SessionError> {
        let value = serde_json::to_value(value);
        let value = value.map_err(|error| SessionError::Value(error.to_string().into()))?;
        let mut state = self.0.borrow_mut();
        let old = state.values.insert(name.to_owned(), value);
        let bytes = state.to_json().len();
        if bytes > MOST_BYTES {
            match old {
                Some(old) => drop(state.values.insert(name.to_owned(), old)),
                None => drop(state.values.remove(name)),
            }
            return Err(SessionError::TooLarge(bytes));
        }
        state.must_write = true;
        Ok(())
    }

    /// Removes the value of that name; tells whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        let mut state = self.0.borrow_mut();
        let was_there = state.values.remove(name).is_some();
        state.must_write |= was_there;
        was_there
    }

    /// Forgets all, as for a logout. The browser is told to; one that kept a copy can still use it until it expires.
    pub fn clear(&self) {
        let mut state = self.0.borrow_mut();
        state.values.clear();
        state.must_write = true;
    }
}

impl State {
    fn to_json(&self) -> String {
        serde_json::to_string(&self.values).expect("it is JSON already")
    }
}

/// Without what it holds.
impl fmt::Debug for SealedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSession").finish_non_exhaustive()
    }
}
