//! Templates: what is escaped, what is an error and where, and what is bounded.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ropewalk_testing::StringTransport;
use ropewalk_web::{Request, Router, Site, TemplateError, TemplateLimits, Templates};
use serde_json::json;

fn of(text: &str) -> Templates {
    Templates::from_texts([("page.html", text)]).unwrap()
}

fn text(text: &str, context: serde_json::Value) -> String {
    of(text).render_text("page.html", context).unwrap()
}

fn error(text: &str, context: serde_json::Value) -> TemplateError {
    of(text).render_text("page.html", context).unwrap_err()
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn answer(templates: Templates, path: &str) -> String {
    let page = move |request: &Request| {
        let name: String = request.param("name")?;
        templates.render(&name, json!({ "name": name }))
    };
    let site = Site::new(Router::new().get("/{name}", page));
    let mut client = StringTransport::builder().factory(site);
    client.receive(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client.settle();
    String::from_utf8(client.take_sent()).unwrap()
}

#[test]
fn h1_19_what_came_from_a_client_is_escaped_wherever_it_passes() {
    let attack = r#"<script>alert('1')</script>" onload="x&"#;
    let passes = [
        "{{ it }}",
        "<a title=\"{{ it }}\">",
        "{% set its = it %}{{ its }}",
        "{% set its %}{{ it }}{% endset %}{{ its }}",
        "{% macro show(its) %}<b>{{ its }}</b>{% endmacro %}{{ show(it) }}",
        "{% for its in [it] %}{{ its }}{% endfor %}",
        "{{ it ~ '!' }}{{ [it]|join(', ') }}",
        "{% filter upper %}{{ it }}{% endfilter %}",
        "{{ [it] }}{{ {'a': it} }}",
        "{{ it|tojson }}",
    ];
    for pass in passes {
        let page = text(pass, json!({ "it": attack }));
        let (lower, own) = (page.to_lowercase(), pass.matches('"').count());
        assert!(!lower.contains("<script"), "{pass}: {page}");
        let quotes = if pass.contains("tojson") { 4 } else { own };
        assert!(page.matches('"').count() <= quotes, "{pass}: {page}");
        assert!(lower.contains("alert("), "{pass}: {page}");
    }
}

#[test]
fn the_ending_says_how_values_are_escaped() {
    let endings = [
        ("a.html", "&lt;&amp;&quot;"),
        ("a.HTM", "&lt;&amp;&quot;"),
        ("a.xml", "&lt;&amp;&quot;"),
        ("a.xhtml", "&lt;&amp;&quot;"),
        ("a.html.j2", "&lt;&amp;&quot;"),
        ("a.txt.jinja", "<&\""),
        ("a", "&lt;&amp;&quot;"),
        ("d.txt/a", "&lt;&amp;&quot;"),
        ("a.txt", "<&\""),
        ("a.js", r#""\u003c\u0026\"""#),
    ];
    let templates = Templates::from_texts(endings.map(|(name, _)| (name, "{{ it }}"))).unwrap();
    for (name, escaped) in endings {
        let page = templates.render_text(name, json!({ "it": "<&\"" }));
        assert_eq!(page.unwrap(), escaped, "{name}");
    }
}

#[test]
fn a_page_has_the_type_of_its_name() {
    let names = ["a.html", "a.xml", "a.json.j2", "a.txt", "a.strange"];
    let templates = Templates::from_texts(names.map(|name| (name, "1"))).unwrap();
    let types = names.map(|name| {
        let page = templates.render(name, ()).unwrap();
        let kind = page.headers().get("content-type").unwrap();
        kind.to_str().unwrap().to_owned()
    });
    assert_eq!(types[0], "text/html; charset=utf-8");
    assert!(
        types[1].ends_with("/xml") || types[1].starts_with("text/xml"),
        "{types:?}"
    );
    assert_eq!(types[2], "application/json");
    assert_eq!(types[3], "text/plain; charset=utf-8");
    assert_eq!(types[4], "text/plain; charset=utf-8");
}

#[test]
fn templates_include_and_inherit_across_folders() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "base.html",
        "<h1>{% block head %}{% endblock %}</h1>{% include 'parts/foot.html' %}",
    );
    write(
        folder.path(),
        "shop/cup.html",
        "{% extends 'base.html' %}{% block head %}{{ cup.name }}{% endblock %}",
    );
    write(folder.path(), "parts/foot.html", "<hr>");
    write(folder.path(), ".hidden.html", "{% wrong");
    write(folder.path(), "cup.html~", "{% wrong");
    let templates = Templates::of(folder.path()).unwrap();
    let page = templates.render_text("shop/cup.html", json!({ "cup": { "name": "A & B" } }));
    assert_eq!(page.unwrap(), "<h1>A &amp; B</h1><hr>");
}

#[test]
fn a_value_that_is_not_there_is_an_error_with_template_line_and_name() {
    let templates = Templates::from_texts([
        ("base.html", "<title>\n{% block body %}{% endblock %}"),
        ("part.html", "\n\n<b>{{ user.nmae }}</b>"),
        (
            "page.html",
            "{% extends 'base.html' %}{% block body %}\n{% include 'part.html' %}{% endblock %}",
        ),
    ]);
    let templates = templates.unwrap();
    let wrong = templates.render_text("page.html", json!({ "user": { "name": 1 } }));
    let wrong = wrong.unwrap_err();
    assert_eq!(
        (wrong.template(), wrong.line()),
        (Some("part.html"), Some(3))
    );
    assert!(
        wrong
            .to_string()
            .contains(": `user.nmae` is undefined; give it"),
        "{wrong}"
    );
    assert_eq!(text("{{ it|default('none') }}", json!({})), "none");
    assert_eq!(text("{% if it is defined %}1{% endif %}", json!({})), "");
    let wrong = error("{% if it %}1{% endif %}", json!({}));
    assert!(
        wrong
            .to_string()
            .starts_with("template page.html, line 1: "),
        "{wrong}"
    );
}

#[test]
fn a_wrong_template_is_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "fine.html", "1");
    write(folder.path(), "shop/cup.html", "one\n{% if %}\n");
    let wrong = Templates::of(folder.path()).unwrap_err();
    assert_eq!(
        (wrong.template(), wrong.line()),
        (Some("shop/cup.html"), Some(2))
    );
    assert!(wrong.to_string().contains("syntax error: "), "{wrong}");

    write(folder.path(), "shop/cup.html", b"one\xff");
    let wrong = Templates::of(folder.path()).unwrap_err();
    assert!(
        wrong
            .to_string()
            .starts_with("template shop/cup.html: it is no UTF-8 at byte 3"),
        "{wrong}"
    );

    let wrong = Templates::of(folder.path().join("none")).unwrap_err();
    assert!(
        wrong.to_string().contains("give a folder that exists"),
        "{wrong}"
    );
    let wrong = Templates::from_texts([("a.html", "{{ a")]).unwrap_err();
    assert_eq!((wrong.template(), wrong.line()), (Some("a.html"), Some(1)));
}

#[test]
fn h1_23_no_name_leaves_the_folder() {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("templates");
    write(outside.path(), "secret.html", "secret");
    write(&folder, "page.html", "{% include it %}");
    symlink("../secret.html", folder.join("link.html")).unwrap();
    let absolute = outside.path().join("secret.html");
    symlink(&absolute, folder.join("absolute.html")).unwrap();
    let templates = Templates::of(&folder).unwrap();
    let absolute = absolute.to_str().unwrap();
    for name in [
        "../secret.html",
        "./../secret.html",
        "link.html",
        "absolute.html",
        absolute,
        "",
        "/",
    ] {
        templates.render_text(name, ()).unwrap_err();
        templates
            .render_text("page.html", json!({ "it": name }))
            .unwrap_err();
    }
    let sent = answer(templates, "..%2fsecret.html");
    assert!(
        !sent.contains("secret\n") && !sent.contains("200 OK"),
        "{sent}"
    );
}

#[test]
fn a_page_that_is_not_there_is_an_error_of_ours_and_shows_no_names() {
    let wrong = of("1").render_text("pgae.html", ()).unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "template pgae.html: there is none of this name; there are page.html"
    );
    let sent = answer(of("1"), "pgae.html");
    assert!(sent.starts_with("HTTP/1.1 500 "), "{sent}");
    assert!(!sent.contains("page.html"), "{sent}");
    let sent = answer(of("<p>{{ name }}"), "page.html");
    assert!(sent.ends_with("\r\n\r\n<p>page.html"), "{sent}");
}

#[test]
fn reloading_sees_what_changed_came_and_went() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.html", "{% include 'b.html' %}");
    write(folder.path(), "b.html", "one");
    let fixed = Templates::of(folder.path()).unwrap();
    let templates = fixed.clone().reloading();
    let page = |name| templates.render_text(name, ());
    assert_eq!(page("a.html").unwrap(), "one");
    write(folder.path(), "b.html", "two and more");
    assert_eq!(page("a.html").unwrap(), "two and more");
    write(folder.path(), "b.html", "\n{{");
    assert_eq!(page("a.html").unwrap_err().line(), Some(2));
    write(folder.path(), "b.html", "right");
    assert_eq!(page("a.html").unwrap(), "right");
    write(folder.path(), "new/c.html", "new");
    assert_eq!(page("new/c.html").unwrap(), "new");
    fs::remove_file(folder.path().join("new/c.html")).unwrap();
    page("new/c.html").unwrap_err();
    assert_eq!(fixed.render_text("a.html", ()).unwrap(), "one");
}

#[test]
fn what_a_page_takes_is_bounded() {
    let mut limits = TemplateLimits::default();
    (limits.output_bytes, limits.steps) = (1000, 5000);
    let within = |text: &str, context| {
        let templates = of(text).with_limits(limits);
        let page = templates.render_text("page.html", context);
        page.map_err(|error| error.to_string())
    };
    let many = || json!({ "many": vec!["0123456789"; 2000], "few": vec!["0123456789"; 100] });
    let few = within("{% for it in few %}{{ it }}{% endfor %}", many());
    assert_eq!(few.unwrap().len(), 1000);
    let long = within("{% for it in few %}{{ it }}{% endfor %}.", many()).unwrap_err();
    assert!(long.contains("more than 1000 bytes"), "{long}");
    let raw = within("{% for it in few %}01234567890{% endfor %}", many()).unwrap_err();
    assert!(raw.contains("more than 1000 bytes"), "{raw}");
    let kept = "{% set all %}{% for it in many %}{{ it }}{% endfor %}{% endset %}1";
    let kept = within(kept, many()).unwrap_err();
    assert!(kept.contains("more text passes"), "{kept}");
    let steps = "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}";
    let steps = within(steps, many()).unwrap_err();
    assert!(steps.contains("more than 5000 steps"), "{steps}");
    // Each page begins anew.
    assert_eq!(within("{{ few[0] }}", many()).unwrap(), "0123456789");
}

#[test]
fn what_calls_itself_for_ever_is_an_error() {
    let endless = "{% macro again(n) %}{{ again(n) }}{% endmacro %}{{ again(1) }}";
    let wrong = error(endless, json!({})).to_string();
    assert!(wrong.contains("recursion"), "{wrong}");
    let wrong = error("{% include 'page.html' %}", json!({})).to_string();
    assert!(wrong.contains("recursion"), "{wrong}");
}
