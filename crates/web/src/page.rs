//! Small pages that say what went wrong or where to go, and hide nothing in it (H1-19).
//!
//! For: errors and redirects. Not for: pages of an application; those have templates.

use std::fmt;

use ropewalk_grammar::http1::reason_phrase;

/// A page of a heading and some lines below it; everything in it is escaped, and it loads nothing.
///
/// ```
/// use ropewalk_web::Page;
///
/// let page = Page::of_status(404).text("There is no <b>.").to_string();
/// assert!(page.contains("<h1>404 <span>Not Found</span></h1>"));
/// assert!(page.contains("<p>There is no &lt;b&gt;.</p>"));
/// ```
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    heading: String,
    body: String,
}

/// Text in HTML, also between quotes. Controls become U+FFFD, but for tabs and line ends.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

/// The `Content-Type` of a page.
pub const PAGE_CONTENT_TYPE: &str = "text/html; charset=utf-8";

/// The `Content-Security-Policy` of a page: it needs its own style and nothing else.
pub const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;min-height:100vh;display:grid;place-items:center;background:Canvas;color:CanvasText;\
font:1.05rem/1.6 system-ui,sans-serif}\
main{max-width:36rem;padding:2rem;overflow-wrap:anywhere}\
h1{margin:0 0 .5rem;font-size:2.2rem;font-weight:650;letter-spacing:-.02em}\
h1 span{font-weight:350;opacity:.75}\
p{margin:.4rem 0}\
a{color:LinkText}";

impl Page {
    /// A page with this heading.
    pub fn new(heading: &str) -> Self {
        Self {
            title: Escaped(heading).to_string(),
            heading: Escaped(heading).to_string(),
            body: String::new(),
        }
    }

    /// A page for a status, with its reason.
    pub fn of_status(status: u16) -> Self {
        let reason = reason_phrase(status);
        Self {
            title: format!("{status} {reason}"),
            heading: format!("{status} <span>{reason}</span>"),
            body: String::new(),
        }
    }

    /// A page for a redirect, for whoever does not follow it: 301, 302, 303, 307, 308.
    pub fn of_redirect(status: u16, location: &str) -> Self {
        Self::of_status(status).link("What you asked for is at ", location, location)
    }

    /// The same, with a line of text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.push(format_args!("<p>{}</p>\n", Escaped(text)));
        self
    }

    /// The same, with a line of text that ends with a link.
    ///
    /// A target that is neither a path nor of HTTP is shown and not linked, as `javascript:` would run.
    #[must_use]
    pub fn link(mut self, text: &str, target: &str, name: &str) -> Self {
        let (text, name) = (Escaped(text), Escaped(name));
        match is_safe_target(target) {
            true => self.push(format_args!(
                "<p>{text}<a href=\"{}\">{name}</a></p>\n",
                Escaped(target)
            )),
            false => self.push(format_args!("<p>{text}{name}</p>\n")),
        }
        self
    }

    fn push(&mut self, html: fmt::Arguments<'_>) {
        self.body.push_str(&html.to_string());
    }
}

/// As HTML.
impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
            <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
            <title>{}</title>\n<style>{STYLE}</style>\n<main>\n<h1>{}</h1>\n{}</main>\n</html>\n",
            self.title, self.heading, self.body
        )
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, char) in self.0.char_indices() {
            let Some(escape) = escape(char) else {
                continue;
            };
            f.write_str(&self.0[plain..at])?;
            f.write_str(escape)?;
            plain = at + char.len_utf8();
        }
        f.write_str(&self.0[plain..])
    }
}

fn escape(char: char) -> Option<&'static str> {
    match char {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        '\t' | '\n' | '\r' => None,
        char if char.is_control() => Some("\u{fffd}"),
        _ => None,
    }
}

fn is_safe_target(target: &str) -> bool {
    let has_scheme = |scheme: &str| {
        target
            .split_at_checked(scheme.len())
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(scheme))
    };
    target.starts_with(['/', '?', '#', '.']) || has_scheme("http://") || has_scheme("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h1_19_everything_is_escaped() {
        let odd = "<script>alert('1') & \"2\"\0</script>";
        let page = Page::new(odd).text(odd).link(odd, "/\"><script>", odd);
        let page = page.to_string();
        assert!(!page.contains("<script") && !page.contains('\0') && !page.contains("\"2\""));
        assert!(page.contains("href=\"/&quot;&gt;&lt;script&gt;\""));
        assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;) &amp; &quot;2&quot;\u{fffd}"));
    }

    #[test]
    fn h1_19_a_redirect_links_only_where_a_link_is_harmless() {
        for target in ["/a", "?b", "./c", "http://d.example/", "HTTPS://e.example/"] {
            assert!(
                Page::of_redirect(302, target)
                    .to_string()
                    .contains("<a href="),
                "{target}"
            );
        }
        for target in [
            "javascript:alert(1)",
            " javascript:x",
            "data:text/html,x",
            "a",
            "\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            let page = Page::of_redirect(302, target).to_string();
            assert!(
                !page.contains("<a href=") && page.contains(&Escaped(target).to_string()),
                "{target}"
            );
        }
    }

    #[test]
    fn a_page_loads_nothing_and_knows_the_dark() {
        let page = Page::of_status(500).to_string();
        assert!(!page.contains("src=") && !page.contains("url(") && !page.contains("<link"));
        assert!(page.contains("color-scheme:light dark"));
        assert!(page.contains("<title>500 Internal Server Error</title>"));
    }
}
