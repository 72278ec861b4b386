//! Elsewhere.

use http::{HeaderValue, StatusCode};
use ropewalk_grammar::http1::Name;

use crate::header_error::HeaderError;
use crate::methods::Methods;
use crate::page::Page;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;

/// Answers with where to look instead: 302, or another.
///
/// ```
/// use ropewalk_web::{Branch, Redirect, StatusCode};
///
/// let moved = Redirect::to("/new/")?.with_status(StatusCode::PERMANENT_REDIRECT);
/// let tree = Branch::new().with_child("old", moved);
/// # drop(tree);
/// # Ok::<(), ropewalk_web::HeaderError>(())
/// ```
#[doc(alias = "ParentRedirect")]
#[doc(alias = "redirectTo")]
#[derive(Clone, Debug)]
pub struct Redirect {
    location: String,
    status: StatusCode,
}

impl Redirect {
    /// To this URL, or path. One that is made of what a client sent must begin with a single slash, or it may lead to another host.
    ///
    /// # Errors
    ///
    /// When it has a control character, which would make two headers of one.
    pub fn to(location: impl Into<String>) -> Result<Self, HeaderError> {
        let location = location.into();
        HeaderValue::try_from(&location).map_err(HeaderError::from)?;
        Ok(Self {
            location,
            status: StatusCode::FOUND,
        })
    }

    /// With another status: 301, 303, 307, 308.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }
}

impl Resource for Redirect {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, _: &Request) -> Reply {
        redirect(self.status, &self.location).into()
    }
}

/// The response that leads elsewhere, with a page for whoever does not follow (H1-19).
///
/// # Panics
///
/// When the location has a control character.
pub(crate) fn redirect(status: StatusCode, location: &str) -> Response {
    let page = Page::of_redirect(status.as_u16(), location).to_string();
    let mut response = Response::html(page).with_status(status);
    let location = HeaderValue::try_from(location).expect("a location without controls");
    response.headers_mut().push(Name::Location.into(), location);
    response
}
