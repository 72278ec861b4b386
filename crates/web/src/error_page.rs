//! The pages that the server makes itself.

use std::fmt;

use http::{HeaderValue, StatusCode};
use ropewalk_core::Failure;
use ropewalk_grammar::http1::Name;

use crate::methods::Methods;
use crate::negotiate::choose_media_type;
use crate::page::{PAGE_POLICY, Page};
use crate::request::Request;
use crate::response::Response;
use crate::site::SiteShared;

/// An error that is answered by a page, for [`Site::with_error_page`](crate::Site::with_error_page).
#[derive(Clone, Debug)]
pub struct ErrorPage {
    status: StatusCode,
    detail: Option<Box<str>>,
    /// What went wrong inside, which a client must not see.
    failure: Option<Box<str>>,
}

/// Makes the pages of a site.
pub(crate) type Painter = dyn Fn(&Request, &ErrorPage) -> Option<Response>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl ErrorPage {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is said beside it, which may have come from the client: escape it.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// As one line of text, controls escaped (R148).
    fn to_text(&self) -> String {
        let (code, reason) = (self.status.as_u16(), self.reason());
        match &self.detail {
            Some(detail) => format!("{code} {reason}: {}\n", Visible(detail)),
            None => format!("{code} {reason}\n"),
        }
    }

    fn reason(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn to_html(&self) -> String {
        let page = Page::of_status(self.status.as_u16());
        let lines = self.detail.iter().map(|detail| Visible(detail).to_string());
        lines.fold(page, |page, line| page.text(&line)).to_string()
    }
}

/// Text without control characters.
struct Visible<'a>(&'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter.is_control() {
                true => write!(f, "{}", letter.escape_default())?,
                false => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

/// The page of a status, with what else there is to say; everything in it is escaped (R148, H1-19).
///
/// It is text until it is known who asked: see [`dress`].
pub(crate) fn error_page(status: StatusCode, detail: Option<&str>) -> Response {
    of(ErrorPage {
        status,
        detail: detail.map(Into::into),
        failure: None,
    })
}

/// The page of an error inside, which is shown only where somebody wants to see it.
pub(crate) fn failure_page(status: StatusCode, failure: impl fmt::Display) -> Response {
    of(ErrorPage {
        status,
        detail: None,
        failure: Some(failure.to_string().into()),
    })
}

/// What is shown of a failure where failures are shown.
pub(crate) fn described(failure: &Failure) -> String {
    format!("{failure:#}, made at {}", failure.location())
}

fn of(error: ErrorPage) -> Response {
    let mut page = Response::text(error.to_text()).with_status(error.status);
    page.error = Some(Box::new(error));
    page
}

/// 405, with what there is instead (R147).
pub(crate) fn not_allowed(methods: Methods) -> Response {
    error_page(StatusCode::METHOD_NOT_ALLOWED, None).allowing(methods)
}

/// The response as it suits the site and the client: who accepts HTML, and says so, gets a page.
pub(crate) fn dress(response: &mut Response, request: &Request, site: &SiteShared) {
    if let Some(error) = response.error.take() {
        *response = dressed(*error, response, request, site);
    }
}

fn dressed(
    mut error: ErrorPage,
    response: &Response,
    request: &Request,
    site: &SiteShared,
) -> Response {
    error.status = response.status();
    if site.shows_failures {
        error.detail = error.failure.take().or(error.detail);
    }
    if let Some(own) = site
        .painter
        .as_ref()
        .and_then(|paint| paint(request, &error))
    {
        return with_headers_of(own.with_status(error.status), response);
    }
    let accept = request.header(Name::Accept);
    let mut page = match choose_media_type(accept, &[TEXT, HTML]) {
        Some(HTML) => html(&error),
        _ => Response::text(error.to_text()),
    };
    let vary = HeaderValue::from_static("Accept");
    page.headers_mut().push(Name::Vary.into(), vary);
    with_headers_of(page.with_status(error.status), response)
}

fn html(error: &ErrorPage) -> Response {
    let mut page = Response::html(error.to_html());
    let policy = HeaderValue::from_static(PAGE_POLICY);
    let set = page.headers_mut().set("Content-Security-Policy", policy);
    set.expect("it is a name");
    page
}

/// The page with what the one in its place said beside its type: `Allow`, `Retry-After`, cookies.
fn with_headers_of(mut page: Response, other: &Response) -> Response {
    for (name, value) in other.headers().iter() {
        if name.known() != Some(Name::ContentType) {
            page.headers_mut().push(name.clone(), value.clone());
        }
    }
    page
}
