//! The pages that a site makes itself.

use ropewalk_testing::StringTransport;
use ropewalk_web::{ErrorPage, Failure, Request, Response, Router, Site, StatusCode, StatusError};

use crate::sent;

fn router() -> Router {
    Router::new()
        .get("/fail", |_: &Request| {
            Err::<&str, _>(Failure::message("secret"))
        })
        .get("/panic", |_: &Request| -> &'static str { panic!("secret") })
        .get("/later", |_: Request| async {
            Err::<&str, _>(Failure::message("secret"))
        })
        .get("/odd", |request: &Request| {
            let detail = format!("no {}\u{1b}[31m", request.query().unwrap_or_default());
            Err::<&str, Failure>(StatusError::new(StatusCode::IM_A_TEAPOT, detail).into())
        })
        .get("/own", |_: &Request| {
            Response::text("mine").with_status(StatusCode::NOT_FOUND)
        })
}

fn ask(site: Site, path: &str, accept: &str) -> String {
    let mut client = StringTransport::builder().factory(site);
    client.receive(format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"
    ));
    sent(&mut client)
}

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[test]
fn r148_browsers_get_a_page_and_others_text_with_everything_escaped() {
    let page = ask(Site::new(router()), "/odd?<b>", BROWSER);
    assert!(
        page.contains("Content-Type: text/html; charset=utf-8\r\n")
            && page.contains("Vary: Accept\r\n"),
        "{page}"
    );
    assert!(
        page.contains("no &lt;b&gt;") && !page.contains("<b>") && !page.contains('\u{1b}'),
        "{page}"
    );
    for accept in ["*/*", "application/json", "", "text/plain, text/html;q=0.5"] {
        let text = ask(Site::new(router()), "/odd?<b>", accept);
        assert!(
            text.contains("Content-Type: text/plain; charset=utf-8\r\n"),
            "{accept}: {text}"
        );
        assert!(
            text.ends_with("418 I'm a teapot: no <b>\\u{1b}[31m\n"),
            "{text}"
        );
    }
    assert!(ask(Site::new(router()), "/own", BROWSER).ends_with("mine"));
}

#[test]
fn r148_what_failed_is_shown_only_where_somebody_says_so() {
    for path in ["/fail", "/panic", "/later"] {
        let hidden = ask(Site::new(router()), path, BROWSER);
        assert!(
            hidden.starts_with("HTTP/1.1 500 ") && !hidden.contains("secret"),
            "{hidden}"
        );
        let shown = ask(Site::new(router()).dangerous_show_failures(), path, BROWSER);
        assert!(
            shown.starts_with("HTTP/1.1 500 ") && shown.contains("secret"),
            "{shown}"
        );
    }
}

#[test]
fn a_site_has_pages_of_its_own_with_the_same_status_and_headers() {
    let paint = |request: &Request, error: &ErrorPage| {
        let is_api = request.path().starts_with("/api");
        is_api.then(|| Response::text(format!("api {}", error.status().as_u16())))
    };
    let router = || router().post("/api/post", |_: &Request| "posted");
    let site = || Site::new(router()).with_error_page(paint);
    let refused = ask(site(), "/api/post", BROWSER);
    assert!(
        refused.starts_with("HTTP/1.1 405 ") && refused.ends_with("api 405"),
        "{refused}"
    );
    assert!(refused.contains("Allow: OPTIONS, POST\r\n"), "{refused}");
    assert!(ask(site(), "/api/nowhere", "").ends_with("api 404"));
    assert!(ask(site(), "/nowhere", "").ends_with("404 Not Found\n"));
}
