//! The tests of the grammars: tables named by rule, and the laws that all of them obey.

mod http1_differential;
mod http1_exchange;
mod http1_h11;
mod http1_law;
mod http1_laws;
mod http1_request;
mod http1_response;
mod law;
mod laws;
mod length_prefixed;
mod line;
mod multipart;
mod multipart_law;
mod multipart_laws;
mod netstring;
mod proxy;
mod proxy_law;
mod proxy_laws;
mod pubsub;
mod pubsub_law;
mod pubsub_laws;
mod websocket;
#[cfg(feature = "deflate")]
mod websocket_deflate;
mod websocket_law;
mod websocket_laws;
