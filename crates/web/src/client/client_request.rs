//! A request that is being made.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use ropewalk_core::failure::Cancelled;
use ropewalk_core::{Deferred, Failure};
use ropewalk_grammar::http1::Name;
use url::{Url, form_urlencoded};

use super::agent::Shared;
use super::agent_error::{AgentError, AgentProblem};
use super::agent_limits::AgentLimits;
use super::client_response::ClientResponse;
use super::current::OnInterim;
use super::errand::{self, BeforeSending, Errand};
use super::hop::{Hop, basic, secret};
use super::redirects::Redirects;
use crate::body::Body;
use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::headers::Headers;

/// A request that is sent when it is awaited, or by [`send`](Self::send).
///
/// Awaited, it is given up when the future is dropped. What was wrong with any part of it is told then, too, and nothing is sent.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_web::{Agent, AgentError};
///
/// async fn order(agent: &Agent) -> Result<String, AgentError> {
///     let response = agent
///         .post("https://tea.example/order")
///         .bearer_auth("secret")
///         .form([("kind", "green"), ("cups", "2")])
///         .timeout(Duration::from_secs(10))
///         .await?;
///     response.error_for_status()?.text().await
/// }
/// ```
pub struct ClientRequest {
    agent: Rc<Shared>,
    limits: Rc<AgentLimits>,
    method: Method,
    url: Result<Url, AgentProblem>,
    headers: Headers,
    body: Body,
    redirects: Redirects,
    keeps_alive: bool,
    on_interim: Option<OnInterim>,
    before_sending: Option<BeforeSending>,
    /// The first thing that was wrong.
    problem: Option<AgentProblem>,
}

/// A [`Method`], or text that is one.
pub trait IntoMethod {
    /// The method.
    ///
    /// # Errors
    ///
    /// The text is no token.
    fn into_method(self) -> Result<Method, AgentProblem>;
}

impl IntoMethod for Method {
    fn into_method(self) -> Result<Method, AgentProblem> {
        Ok(self)
    }
}

impl IntoMethod for &str {
    fn into_method(self) -> Result<Method, AgentProblem> {
        Method::from_bytes(self.as_bytes()).map_err(|_| AgentProblem::Method(self.to_owned()))
    }
}

impl ClientRequest {
    pub(super) fn new(
        agent: &Rc<Shared>,
        method: Result<Method, AgentProblem>,
        url: Result<Url, AgentProblem>,
    ) -> Self {
        let (method, problem) = match method {
            Ok(method) => (method, None),
            Err(problem) => (Method::GET, Some(problem)),
        };
        Self {
            agent: Rc::clone(agent),
            limits: Rc::clone(&agent.limits),
            method,
            url,
            headers: Headers::new(),
            body: Body::empty(),
            redirects: agent.redirects,
            keeps_alive: true,
            on_interim: None,
            before_sending: None,
            problem,
        }
    }

    /// With a header, in the place of all of its name.
    #[must_use]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        if let Err(error) = self.headers.set(name, value) {
            self.wrong(error);
        }
        self
    }

    /// With all of these headers, beside those that are there.
    #[must_use]
    pub fn headers(mut self, headers: &Headers) -> Self {
        for (name, value) in headers.iter() {
            self.headers.push(name.clone(), value.clone());
        }
        self
    }

    /// With this body. One whose length is known must have it (R169); others are sent in chunks.
    #[doc(alias = "bodyProducer")]
    #[doc(alias = "FileBodyProducer")]
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// With these names and values as the body, as forms send them.
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(
        self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(pairs);
        self.content("application/x-www-form-urlencoded", text.finish())
    }

    /// With a value as JSON as the body.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json(mut self, value: &(impl serde::Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(text) => self.content("application/json", text),
            Err(error) => {
                self.wrong(AgentProblem::Content(error.to_string()));
                self
            }
        }
    }

    /// With these names and values behind those that the URL has in its query.
    #[must_use]
    pub fn query<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        if let Ok(url) = &mut self.url {
            url.query_pairs_mut().extend_pairs(pairs);
        }
        self
    }

    /// With a name and a password (RFC 7617). They do not go along to another origin (CL-01).
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        let value = basic(user.as_bytes(), password.as_bytes());
        self.headers.replace(Name::Authorization.into(), value);
        self
    }

    /// With a token (RFC 6750). It does not go along to another origin (CL-01).
    #[must_use]
    pub fn bearer_auth(mut self, token: &str) -> Self {
        match secret(&format!("Bearer {token}")) {
            Some(value) => self.headers.replace(Name::Authorization.into(), value),
            None => self.wrong(AgentProblem::Content(
                "a bearer token has no control characters".to_owned(),
            )),
        }
        self
    }

    /// With so much time for all of it, to the last byte of the response's body.
    #[must_use]
    pub fn timeout(mut self, total: Duration) -> Self {
        Rc::make_mut(&mut self.limits).total = Some(total);
        self
    }

    /// With other limits than the agent's, but for those of connections and pools, which are the agent's.
    #[must_use]
    pub fn limits(mut self, limits: AgentLimits) -> Self {
        self.limits = Rc::new(limits);
        self
    }

    /// Following other redirects than the agent does.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Over a connection that is closed afterwards.
    #[must_use]
    pub fn without_keep_alive(mut self) -> Self {
        self.keeps_alive = false;
        self
    }

    /// Calls this with each interim response, such as 103 (early hints), on the reactor's turn.
    #[must_use]
    pub fn on_interim(mut self, call: impl Fn(StatusCode, &HeaderMap) + 'static) -> Self {
        self.on_interim = Some(Rc::new(call));
        self
    }

    /// Calls this with the headers each time that it is sent: for those that must be new after a redirect, too.
    pub(crate) fn before_sending(mut self, call: impl Fn(&mut Headers) + 'static) -> Self {
        self.before_sending = Some(Rc::new(call));
        self
    }

    /// With so much time for the server to answer.
    pub(crate) fn first_byte(mut self, limit: Duration) -> Self {
        Rc::make_mut(&mut self.limits).first_byte = limit;
        self
    }

    /// Sends it; the Deferred has the response when its head is here, and gives up when it is cancelled.
    #[track_caller]
    pub fn send(self) -> Deferred<ClientResponse> {
        let handle = self.agent.pool.handle.clone();
        handle.spawn(async {
            self.await.map_err(|error| match error.problem() {
                AgentProblem::Cancelled => Failure::new(Cancelled),
                _ => Failure::new(error),
            })
        })
    }

    fn content(mut self, content_type: &'static str, body: impl Into<Body>) -> Self {
        if !self.headers.contains(Name::ContentType) {
            let value = HeaderValue::from_static(content_type);
            self.headers.replace(Name::ContentType.into(), value);
        }
        self.body = body.into();
        self
    }

    fn wrong(&mut self, problem: impl Into<AgentProblem>) {
        self.problem.get_or_insert(problem.into());
    }

    fn prepare(self) -> Result<(Errand, Hop), AgentError> {
        let url = self.url.map_err(|problem| AgentError::new("", problem))?;
        let mut headers = self.headers;
        for (name, value) in self.agent.headers.iter() {
            if !headers.contains(name) {
                headers.push(name.clone(), value.clone());
            }
        }
        let hop = Hop::new(self.method, url, headers, self.body);
        if let Some(problem) = self.problem {
            return Err(AgentError::new(hop.name(), problem));
        }
        let errand = Errand::new(
            self.agent,
            self.limits,
            self.keeps_alive,
            self.redirects,
            self.on_interim,
            self.before_sending,
        );
        Ok((errand, hop))
    }
}

impl IntoFuture for ClientRequest {
    type Output = Result<ClientResponse, AgentError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let (errand, hop) = self.prepare()?;
            errand::run(errand, hop).await
        })
    }
}

impl fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("method", &self.method)
            .field("url", &self.url.as_ref().map(Url::as_str))
            .field("headers", &self.headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
