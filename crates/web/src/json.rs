//! JSON, by serde.

use serde::Serialize;

use crate::into_response::IntoResponse;
use crate::response::Response;

/// Answers a value as JSON.
///
/// ```
/// use ropewalk_web::{IntoResponse, Json};
///
/// let response = Json(vec![1, 2]).into_response();
/// assert_eq!(response.headers().get("content-type").unwrap(), "application/json");
/// assert_eq!(response.body().known_length(), Some(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(text) => Response::new(text).with_type("application/json"),
            Err(error) => ropewalk_core::Failure::new(error).into_response(),
        }
    }
}
