//! Why there was no response.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::StatusCode;
use ropewalk_core::{ConnectError, Failure};
use ropewalk_grammar::http1::{Http1Error, SendError};

use super::tunnel::TunnelError;
use crate::body_error::BodyError;
use crate::header_error::HeaderError;

/// A request that failed: which, and why.
#[derive(Debug)]
pub struct AgentError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    request: String,
    problem: AgentProblem,
}

/// Why a request failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentProblem {
    /// The URL is none, or none of the web; nothing was sent (R171).
    Url {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The method is no token; nothing was sent (R171, CL-02).
    Method(String),
    /// A header is none; nothing was sent.
    Header(HeaderError),
    /// The body could not be made; nothing was sent.
    Content(String),
    /// The request cannot be sent so, or its body is not as long as it said (R169).
    Request(SendError),
    /// There is no connection.
    Connect(ConnectError),
    /// The agent cannot make connections with TLS.
    Tls(String),
    /// It was given up.
    Cancelled,
    /// It took too long.
    TimedOut(Phase, Duration),
    /// The connection ended before the response.
    #[doc(alias = "ResponseNeverReceived")]
    Lost {
        /// To whom.
        peer: String,
        /// Why.
        reason: String,
        /// Whether anything of a response had come.
        has_heard: bool,
    },
    /// The server broke the rules of HTTP (CL-04).
    Malformed(Http1Error),
    /// The body of the request failed.
    Upload(Failure),
    /// More redirects came than are followed (R170).
    #[doc(alias = "InfiniteRedirection")]
    TooManyRedirects(usize),
    /// A redirect leads nowhere.
    Redirect(String),
    /// The body of the response did not come whole.
    Body(BodyError),
    /// The response says that the request failed, and an error was asked for.
    Status(StatusCode),
    /// The body is not what it was taken for.
    Decode(String),
}

/// What a request is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for the first byte of the response.
    FirstByte,
    /// Reading the body.
    Body,
    /// All of it.
    Total,
}

impl AgentError {
    pub(crate) fn new(request: impl Into<String>, problem: impl Into<AgentProblem>) -> Self {
        Self(Box::new(Inner {
            request: request.into(),
            problem: problem.into(),
        }))
    }

    /// Why.
    pub fn problem(&self) -> &AgentProblem {
        &self.0.problem
    }

    /// The method and the URL, without the password and the query in it.
    pub fn request(&self) -> &str {
        &self.0.request
    }

    /// Whether it took too long, in any phase.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.problem(),
            AgentProblem::TimedOut(..)
                | AgentProblem::Connect(ConnectError::TimedOut(..))
                | AgentProblem::Body(BodyError::TooSlow)
        )
    }

    /// What the proxy said that opened no tunnel.
    pub fn tunnel(&self) -> Option<&TunnelError> {
        match self.problem() {
            AgentProblem::Connect(ConnectError::Handshake(
                _,
                ropewalk_core::Reason::Misbehaved(error),
            )) => error.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for AgentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.request.is_empty() {
            true => self.0.problem.fmt(f),
            false => write!(f, "{}: {}", self.0.request, self.0.problem),
        }
    }
}

impl Error for AgentError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.problem() {
            AgentProblem::Connect(error) => Some(error),
            AgentProblem::Malformed(error) => Some(error),
            AgentProblem::Body(error) => Some(error),
            AgentProblem::Request(error) => Some(error),
            AgentProblem::Upload(failure) => Some(failure.error()),
            _ => None,
        }
    }
}

impl fmt::Display for AgentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { text, why } => {
                write!(f, "\"{}\" is no URL of the web: {why}", text.escape_debug())
            }
            Self::Method(text) => {
                write!(
                    f,
                    "\"{}\" is no method: a method is a token such as GET",
                    text.escape_debug()
                )
            }
            Self::Header(error) => error.fmt(f),
            Self::Content(why) => write!(f, "the body cannot be made: {why}"),
            Self::Request(error) => error.fmt(f),
            Self::Connect(error) => error.fmt(f),
            Self::Tls(why) => f.write_str(why),
            Self::Cancelled => f.write_str("cancelled"),
            Self::TimedOut(Phase::FirstByte, after) => write!(f, "no answer within {after:?}"),
            Self::TimedOut(Phase::Body, after) => write!(f, "no more of the body within {after:?}"),
            Self::TimedOut(Phase::Total, after) => write!(f, "not done within {after:?}"),
            Self::Lost {
                peer,
                reason,
                has_heard,
            } => {
                let when = if *has_heard { "within" } else { "before" };
                write!(
                    f,
                    "the connection to {peer} ended {when} the head of the answer: {reason}"
                )
            }
            Self::Malformed(error) => {
                write!(f, "the server's answer breaks the rules of HTTP: {error}")
            }
            Self::Upload(failure) => write!(f, "the body of the request failed: {failure}"),
            Self::TooManyRedirects(limit) => write!(
                f,
                "more than {limit} redirects, which is the limit; raise it with Redirects::at_most, if that many are right"
            ),
            Self::Redirect(why) => write!(f, "the redirect leads nowhere: {why}"),
            Self::Body(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::Decode(why) => f.write_str(why),
        }
    }
}

impl AgentProblem {
    /// From what a Deferred failed with.
    pub(super) fn of(failure: Failure) -> Self {
        let failure = match failure.downcast::<ConnectError>() {
            Ok(error) => return Self::Connect(error),
            Err(failure) => failure,
        };
        match failure.downcast::<Carried>() {
            Ok(Carried(problem)) => problem,
            Err(_cancelled_or_the_reactor_is_gone) => Self::Cancelled,
        }
    }
}

/// A problem on its way through a Deferred.
#[derive(Debug)]
pub(super) struct Carried(pub(super) AgentProblem);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Carried {}

impl From<ConnectError> for AgentProblem {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<SendError> for AgentProblem {
    fn from(error: SendError) -> Self {
        Self::Request(error)
    }
}

impl From<BodyError> for AgentProblem {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<HeaderError> for AgentProblem {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}
