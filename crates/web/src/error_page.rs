//! The pages that the server makes itself.

use http::{HeaderValue, StatusCode};
use ropewalk_grammar::http1::Name;

use crate::methods::Methods;
use crate::response::Response;

/// The page of a status, with what else there is to say; everything in it is escaped (R148, H1-19).
pub(crate) fn error_page(status: StatusCode, detail: Option<&str>) -> Response {
    let code = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("Error");
    let text = match detail {
        Some(detail) => format!("{code} {reason}: {}\n", detail.escape_debug()),
        None => format!("{code} {reason}\n"),
    };
    Response::text(text).with_status(status)
}

/// 405, with what there is instead (R147).
pub(crate) fn not_allowed(methods: Methods) -> Response {
    let mut response = error_page(StatusCode::METHOD_NOT_ALLOWED, None);
    let allow = HeaderValue::try_from(methods.to_string()).expect("methods are tokens");
    response.headers_mut().replace(Name::Allow.into(), allow);
    response
}
