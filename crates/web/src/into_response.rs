//! What becomes a response: handlers return what they have.

use bytes::Bytes;
use http::StatusCode;
use ropewalk_core::Failure;

use crate::body::Body;
use crate::body_error::BodyError;
use crate::error_page::{described, error_page, failure_page};
use crate::form::FormError;
use crate::form_data_error::FormDataError;
use crate::param_error::ParamError;
use crate::response::{OCTETS, Response};
use crate::session_error::SessionError;
use crate::status_error::StatusError;

/// Can be answered to a request.
///
/// | what | becomes |
/// | --- | --- |
/// | [`Response`], `http::Response` | itself |
/// | `&str`, `String` | 200, `text/plain; charset=utf-8` |
/// | `Bytes`, `Vec<u8>`, `&[u8]` | 200, `application/octet-stream` |
/// | [`Json`](crate::Json) | 200, `application/json` |
/// | [`StatusCode`] | its page, or no body where the status has none |
/// | `(StatusCode, T)` | what `T` becomes, with this status |
/// | `Result<T, E>` | what `T` or `E` becomes |
/// | `Option<T>` | what `T` becomes, or 404 |
/// | [`Failure`], so any error by `?` | the status that the error has; else 500, a fixed page, and the error in the log |
pub trait IntoResponse {
    /// The response.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl<B: Into<Body>> IntoResponse for http::Response<B> {
    fn into_response(self) -> Response {
        self.into()
    }
}

impl IntoResponse for &'static str {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

macro_rules! octets {
    ($($kind:ty),*) => {
        $(
            impl IntoResponse for $kind {
                fn into_response(self) -> Response {
                    Response::of(self.into(), OCTETS)
                }
            }
        )*
    };
}

octets!(Bytes, Vec<u8>, &'static [u8]);

impl IntoResponse for Body {
    fn into_response(self) -> Response {
        Response::new(self)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        let has_body = !self.is_informational() && !matches!(self.as_u16(), 204 | 205 | 304);
        match has_body {
            true => error_page(self, None),
            false => Response::empty(self),
        }
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse> IntoResponse for Option<T> {
    fn into_response(self) -> Response {
        match self {
            Some(answer) => answer.into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(answer) => answer.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

impl IntoResponse for StatusError {
    fn into_response(self) -> Response {
        error_page(self.status(), self.detail())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Some(error) = self.downcast_ref::<StatusError>() {
            return error.clone().into_response();
        }
        if let Some(error) = self.downcast_ref::<BodyError>() {
            return error_page(error.status(), Some(&error.to_string()));
        }
        #[cfg(feature = "json")]
        if let Some(error) = self.downcast_ref::<crate::json::JsonError>() {
            return error_page(error.status(), Some(&error.to_string()));
        }
        if let Some(error) = self.downcast_ref::<FormDataError>()
            && !error.status().is_server_error()
        {
            return error_page(error.status(), Some(&error.to_string()));
        }
        if let Some(error) = self.downcast_ref::<FormError>() {
            return error_page(StatusCode::PAYLOAD_TOO_LARGE, Some(&error.to_string()));
        }
        if let Some(error) = self.downcast_ref::<ParamError>() {
            return error_page(error.status(), None);
        }
        let status = match self.downcast_ref::<SessionError>() {
            Some(error) => error.status(),
            None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        tracing::error!(error = %format_args!("{self:#}"), made = %self.location(), "a request failed");
        failure_page(status, described(&self))
    }
}
