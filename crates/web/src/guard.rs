//! Resources behind a login, by `Authorization` (RFC 9110 11, RFC 7617, RFC 6750).
//!
//! For: names and passwords, and tokens, that come with each request. Not for: forms and sessions; nor for judging, which is a portal's.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderValue, StatusCode};
use ropewalk_core::Failure;
use ropewalk_cred::{CredError, Credentials, Portal, Realm};
use ropewalk_grammar::http1::Name;

use crate::error_page::error_page;
use crate::into_response::IntoResponse;
use crate::methods::Methods;
use crate::rate_limited::come_back;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};
use crate::response::Response;
use crate::user::User;

/// A resource, and all below it, for those who can log in.
///
/// What the portal's realm gives is in [`Request::get`] of the avatar's type, and the name in that of [`User`]. Who proves nothing is
/// answered 401 with a `WWW-Authenticate` per scheme; without credentials one is anonymous, whom a portal may let in by
/// [`AnonymousChecker`](ropewalk_cred::AnonymousChecker). Who fails too often must wait (429).
///
/// Passwords are checked with each request: put a [`RememberingChecker`](ropewalk_cred::RememberingChecker) before a checker that takes long. Over
/// a connection that others can read it works, and warns once.
///
/// ```
/// use std::rc::Rc;
/// use ropewalk_core::{Deferred, Handle};
/// use ropewalk_cred::{AvatarId, Portal, TokenChecker};
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Guard, Request, Router, Site};
///
/// struct Reader(AvatarId);
/// let realm = |reactor: &Handle, id: AvatarId| Deferred::succeed(reactor, Reader(id));
/// let portal = Portal::new(realm).with_checker(TokenChecker::new().with_token("s3cret", "ann"));
/// let library = Router::new().get("/", |request: &Request| {
///     format!("hello {}", request.get::<Reader>().unwrap().0)
/// });
/// let mut client = StringTransport::builder()
///     .factory(Site::new(Guard::new(portal, library).with_bearer("the library")));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// client.settle();
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert!(sent.starts_with("HTTP/1.1 401 "));
/// assert!(sent.contains("\r\nWWW-Authenticate: Bearer realm=\"the library\"\r\n"));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cret\r\n\r\n");
/// client.settle();
/// assert!(client.take_sent().ends_with(b"\r\n\r\nhello ann"));
/// ```
#[doc(alias = "HTTPAuthSessionWrapper")]
pub struct Guard<R: Realm> {
    portal: Portal<R>,
    resource: Rc<dyn Resource>,
    basic: Option<HeaderValue>,
    bearer: Option<HeaderValue>,
    has_warned: Cell<bool>,
}

/// Padding may be missing, as some clients leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<R: Realm + 'static> Guard<R> {
    /// Puts `resource` behind `portal`; say also by which schemes.
    pub fn new(portal: Portal<R>, resource: impl Resource) -> Self {
        Self {
            portal,
            resource: Rc::new(resource),
            basic: None,
            bearer: None,
            has_warned: Cell::new(false),
        }
    }

    /// The same, with names and passwords; browsers show the realm when they ask for them.
    ///
    /// # Panics
    ///
    /// When the realm has a control character.
    #[doc(alias = "BasicCredentialFactory")]
    #[must_use]
    pub fn with_basic(mut self, realm: &str) -> Self {
        self.basic = Some(challenge("Basic", realm, ", charset=\"UTF-8\""));
        self
    }

    /// The same, with tokens.
    ///
    /// # Panics
    ///
    /// When the realm has a control character.
    #[must_use]
    pub fn with_bearer(mut self, realm: &str) -> Self {
        self.bearer = Some(challenge("Bearer", realm, ""));
        self
    }

    /// What the client shows; `None` if that cannot be read, or is of a scheme that is not asked for.
    fn credentials(&self, request: &Request) -> Option<Credentials> {
        let mut shown = request.fields().values(Name::Authorization);
        let Some(value) = shown.next() else {
            return Some(Credentials::Anonymous);
        };
        if shown.next().is_some() {
            return None;
        }
        let (scheme, proof) = std::str::from_utf8(value).ok()?.split_once(' ')?;
        let proof = proof.trim();
        if scheme.eq_ignore_ascii_case("Basic") && self.basic.is_some() {
            let decoded = String::from_utf8(BASE64.decode(proof).ok()?).ok()?;
            let (name, password) = decoded.split_once(':')?;
            Some(Credentials::password(name, password))
        } else if scheme.eq_ignore_ascii_case("Bearer") && self.bearer.is_some() {
            Some(Credentials::token(proof))
        } else {
            None
        }
    }

    /// Whoever is between reads what proves the identity.
    fn warn_once(&self, request: &Request) {
        let is_local = request.client().is_some_and(|ip| ip.is_loopback());
        if !is_local && request.scheme() != "https" && !self.has_warned.replace(true) {
            tracing::warn!(
                "credentials come over a connection without TLS, where others can read them; serve it by https"
            );
        }
    }
}

/// `Basic realm="the library"`
fn challenge(scheme: &str, realm: &str, rest: &str) -> HeaderValue {
    let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
    let text = format!("{scheme} realm=\"{quoted}\"{rest}");
    HeaderValue::try_from(text)
        .unwrap_or_else(|_| panic!("Guard: the realm {realm:?} has a control character"))
}

/// 401, with one challenge per scheme.
fn unauthorized(challenges: impl Iterator<Item = HeaderValue>) -> Response {
    let mut response = error_page(StatusCode::UNAUTHORIZED, None);
    for challenge in challenges {
        response
            .headers_mut()
            .push(Name::WwwAuthenticate.into(), challenge);
    }
    response
}

impl<R: Realm + 'static> Resource for Guard<R> {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        let challenges = [self.basic.clone(), self.bearer.clone()];
        let challenges = challenges.into_iter().flatten();
        let Some(credentials) = self.credentials(request) else {
            return unauthorized(challenges).into();
        };
        if !matches!(credentials, Credentials::Anonymous) {
            self.warn_once(request);
        }
        let user = credentials.username().map(User::new);
        let login = (self.portal).login(request.reactor(), request.client(), credentials);
        let (resource, asking) = (Rc::clone(&self.resource), request.clone());
        request.reply_later(async move {
            match login.await {
                Ok(avatar) => {
                    asking.set(avatar);
                    user.into_iter().for_each(|user| asking.set(user));
                    serve(&*resource, &asking)
                }
                Err(failure) => refusal(failure, challenges).into(),
            }
        })
    }
}

fn refusal(failure: Failure, challenges: impl Iterator<Item = HeaderValue>) -> Response {
    match failure.downcast_ref::<CredError>() {
        Some(CredError::TooManyFailures(wait)) => come_back(StatusCode::TOO_MANY_REQUESTS, *wait),
        Some(CredError::Busy) => {
            come_back(StatusCode::SERVICE_UNAVAILABLE, std::time::Duration::ZERO)
        }
        Some(_) => unauthorized(challenges),
        None => failure.into_response(),
    }
}

impl<R: Realm> fmt::Debug for Guard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("basic", &self.basic)
            .field("bearer", &self.bearer)
            .finish_non_exhaustive()
    }
}
