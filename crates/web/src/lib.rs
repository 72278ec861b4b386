//! The web on Ropewalk: a site of resources, static files, sessions, and a client.
//!
//! ```text
//!   Site ─► HttpServer, a connection ─► Request ─► Resource … Resource ─► Reply ─► Response ─► bytes
//! ```
//!
//! For: HTTP on the reactor. Not for: the grammar of HTTP, which is [`ropewalk_grammar::http1`]'s.

mod access_log;
pub mod backplane;
mod body;
mod body_error;
mod branch;
mod client;
mod conditional;
mod content_type;
mod cookie;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod cookie_keys;
mod cors;
mod data;
mod date;
mod error_page;
mod event;
mod event_stream;
mod event_topic;
mod exchange;
mod field_name;
mod file_tree;
mod folder;
mod form;
mod form_data;
mod form_data_error;
#[cfg(feature = "cred")]
mod guard;
mod gzip;
mod handler;
mod header_error;
mod headers;
mod http_date;
mod http_service;
mod https_only;
mod incoming;
mod into_response;
#[cfg(feature = "json")]
mod json;
mod load;
mod methods;
mod multipart_reader;
mod name_virtual_host;
mod negotiate;
mod page;
mod param_error;
mod range;
mod rate_limited;
mod recent_heads;
mod redirect;
mod redirect_error;
mod reply;
mod request;
mod resource;
mod responder;
mod response;
mod reverse_proxy;
mod rewrite;
mod router;
#[cfg(all(feature = "json", any(feature = "aws-lc-rs", feature = "ring")))]
mod sealed_sessions;
mod secure_headers;
mod server;
mod session;
mod session_error;
mod sessions;
mod set_cookie;
mod site;
mod site_limits;
mod static_files;
mod status_error;
mod target_path;
#[cfg(feature = "templates")]
mod template_error;
#[cfg(feature = "templates")]
mod template_folder;
#[cfg(feature = "templates")]
mod template_set;
#[cfg(feature = "templates")]
mod templates;
mod trusted_proxies;
mod upload;
mod user;
pub mod websocket;
mod wrapped;

pub use bytes::Bytes;
pub use http::{HeaderMap, HeaderValue, Method, StatusCode};
pub use ropewalk_core::Failure;
pub use ropewalk_core::buffer::{FileRange, FileSource};
pub use ropewalk_grammar::http1::Name;
pub use ropewalk_grammar::multipart;
pub use ropewalk_protocols::{PeerKey, RateLimit};
pub use url::Url;

pub use self::access_log::{Access, AccessFormat, AccessLog};
pub use self::body::Body;
pub use self::body_error::BodyError;
pub use self::branch::Branch;
pub use self::client::{
    Agent, AgentError, AgentLimits, AgentProblem, AsAgent, ClientRequest, ClientResponse,
    CookieJar, IntoMethod, IntoUrl, Phase as AgentPhase, Proxies, Redirects, TunnelError, Upgraded,
};
pub use self::conditional::{Conditions, ETag, ETagError, Validators, Verdict};
pub use self::content_type::{ContentType, FileType};
pub use self::cookie::Cookies;
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
pub use self::cookie_keys::{CookieKeys, OpenError, Opened, ShortSecret};
pub use self::cors::Cors;
pub use self::data::Data;
pub use self::error_page::ErrorPage;
pub use self::event::{Event, EventError};
pub use self::event_stream::{EventLimits, EventStream};
pub use self::event_topic::EventTopic;
pub use self::field_name::FieldName;
pub use self::file_tree::{FileEntry, FileNode, FileStat, FileTree, MemoryFiles};
pub use self::folder::{Folder, FolderError};
pub use self::form::{Form, FormError, FormLimits};
pub use self::form_data::{FormData, UploadLimits};
pub use self::form_data_error::FormDataError;
#[cfg(feature = "cred")]
pub use self::guard::Guard;
pub use self::gzip::Gzip;
pub use self::handler::{Async, Direct, Handler};
pub use self::header_error::HeaderError;
pub use self::headers::Headers;
pub use self::http_date::HttpDate;
pub use self::http_service::HttpService;
pub use self::https_only::HttpsOnly;
pub use self::incoming::{BodyEnd, Incoming};
pub use self::into_response::IntoResponse;
#[cfg(feature = "json")]
pub use self::json::{Json, JsonError};
pub use self::methods::Methods;
pub use self::multipart_reader::{FormPart, MultipartReader};
pub use self::name_virtual_host::NameVirtualHost;
pub use self::negotiate::{Encoding, add_vary, choose_encoding, choose_media_type};
pub use self::page::{Escaped, PAGE_CONTENT_TYPE, PAGE_POLICY, Page};
pub use self::param_error::ParamError;
pub use self::range::{ByteRange, ByteRanges, MOST_RANGES, Selection, unsatisfied_range};
pub use self::rate_limited::RateLimited;
pub use self::redirect::Redirect;
pub use self::redirect_error::RedirectError;
pub use self::reply::Reply;
pub use self::request::Request;
pub use self::resource::Resource;
pub use self::responder::{BodySender, Responder};
pub use self::response::Response;
pub use self::reverse_proxy::ReverseProxy;
pub use self::rewrite::Rewrite;
pub use self::router::Router;
#[cfg(all(feature = "json", any(feature = "aws-lc-rs", feature = "ring")))]
pub use self::sealed_sessions::{SealedSession, SealedSessions};
pub use self::secure_headers::SecureHeaders;
pub use self::session::Session;
pub use self::session_error::SessionError;
pub use self::sessions::Sessions;
pub use self::set_cookie::{CookieError, SameSite, SetCookie};
pub use self::site::Site;
pub use self::site_limits::SiteLimits;
pub use self::static_files::StaticFiles;
pub use self::status_error::StatusError;
pub use self::target_path::{FilePath, PathError, TargetPath, split_query};
#[cfg(feature = "templates")]
pub use self::template_error::TemplateError;
#[cfg(feature = "templates")]
pub use self::templates::{TemplateLimits, Templates};
pub use self::trusted_proxies::TrustedProxies;
pub use self::upload::Upload;
pub use self::user::User;
pub use self::wrapped::Wrapped;
