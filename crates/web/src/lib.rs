//! The web on Ropewalk: a site of resources, static files, sessions, and a client.
//!
//! ```text
//!   Site ─► HttpServer, a connection ─► Request ─► Resource … Resource ─► Reply ─► Response ─► bytes
//! ```
//!
//! For: HTTP on the reactor. Not for: the grammar of HTTP, which is [`ropewalk_grammar::http1`]'s.

mod body;
mod body_error;
mod branch;
mod date;
mod error_page;
mod exchange;
mod field_name;
mod handler;
mod header_error;
mod headers;
mod incoming;
mod into_response;
#[cfg(feature = "json")]
mod json;
mod methods;
mod param_error;
mod reply;
mod request;
mod resource;
mod responder;
mod response;
mod router;
mod server;
mod site;
mod site_limits;
mod status_error;

pub use bytes::Bytes;
pub use http::{HeaderMap, HeaderValue, Method, StatusCode};
pub use ropewalk_core::Failure;
pub use ropewalk_grammar::http1::Name;

pub use self::body::Body;
pub use self::body_error::BodyError;
pub use self::branch::Branch;
pub use self::field_name::FieldName;
pub use self::handler::{Async, Direct, Handler};
pub use self::header_error::HeaderError;
pub use self::headers::Headers;
pub use self::incoming::Incoming;
pub use self::into_response::IntoResponse;
#[cfg(feature = "json")]
pub use self::json::Json;
pub use self::methods::Methods;
pub use self::param_error::ParamError;
pub use self::reply::Reply;
pub use self::request::Request;
pub use self::resource::Resource;
pub use self::responder::{BodySender, Responder};
pub use self::response::Response;
pub use self::router::Router;
pub use self::site::Site;
pub use self::site_limits::SiteLimits;
pub use self::status_error::StatusError;
