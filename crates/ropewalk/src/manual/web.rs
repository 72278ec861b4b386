//! The web: a site, its resources, and what requests bring. Feature `web`, on by default.
//!
//! ```
//! use ropewalk::testing::StringTransport;
//! use ropewalk::web::{Branch, Failure, Gzip, Request, Router, Sessions, Site};
//!
//! async fn order(request: Request) -> Result<String, Failure> {
//!     let form = request.form().await?; // or json, text, bytes, multipart: each with limits
//!     let session = request.session()?;
//!     session.set(form.value("tea").unwrap_or("black").to_owned());
//!     Ok("ordered".to_owned())
//! }
//!
//! fn cup(request: &Request) -> Result<String, Failure> {
//!     let size: u32 = request.param("size")?; // not a number: 404
//!     let tea = request.session()?.get::<String>();
//!     Ok(format!("{size} ml of {}", tea.map_or("water".to_owned(), |tea| (*tea).clone())))
//! }
//!
//! let router = Router::new().post("/order", order).get("/cup/{size}", cup);
//! let tree = Branch::new().with_child("shop", router);
//! let site = Site::new(Gzip::new().wrap(Sessions::new().wrap(tree)));
//! // reactor.listen("tcp:8080", site.clone())?; or without a network:
//! let mut client = StringTransport::builder().factory(site);
//! client.receive("GET /shop/cup/200 HTTP/1.1\r\nHost: a\r\n\r\n");
//! assert!(client.take_sent().ends_with(b"\r\n\r\n200 ml of water"));
//! ```
//!
//! - **Two ways to find who answers**: a tree of [`Resource`](crate::web::Resource)s, as in Twisted, whose nodes are asked for their children, and
//!   a [`Router`](crate::web::Router) of patterns. A router is a leaf of the tree; resources are mounted in a router.
//! - **A handler gives** text, bytes, [`Json`](crate::web::Json), a [`Response`](crate::web::Response), a status, a `Result` of these, a future or
//!   a Deferred of these; or it keeps a [`Responder`](crate::web::Responder) and answers whenever, which is a long poll.
//! - **Bodies stream both ways.** `request.body()` gives chunks, and the client is not read faster than you read; `responder.respond_in_pieces`
//!   and [`Body::stream`](crate::web::Body::stream) send no faster than the client reads. What is collected whole has a limit: 2 MiB, 413.
//! - **Forms**: `request.form()` reads both encodings. Files of more than 100 kB in all go to temporary files, written by threads;
//!   `upload.persist(path)` keeps one. `request.multipart()` gives parts as they come, for what is larger than the disk.
//! - **Sessions**: on the server by [`Sessions`](crate::web::Sessions), 15 minutes and bounded; call `renew_id` when somebody logs in. Or in the
//!   browser by `SealedSessions`, which need no memory and cannot be revoked.
//! - **Events**: [`EventTopic`](crate::web::EventTopic) sends to all who listen by `EventSource`, and what they missed when they come back.
//! - **A whole program** of these parts, with WebSockets, topics and a database, is `ropewalk chat`, in `crates/cli/src/chat`: a page and lines in the
//!   same rooms, a wire protocol by which nothing is lost or doubled over cuts and restarts, and its simulated worlds.
//! - **Wrapping**: [`Wrapped`](crate::web::Wrapped) sees each request before a resource; `request.on_response` changes the response, and
//!   `request.set` passes values down. [`Gzip`](crate::web::Gzip) and sessions are made so.
//! - **Errors**: `?` on anything. What is the client's fault says so (400, 404, 413, 415); all else is 500, in the log with its place, and not on
//!   the page. [`StatusError`](crate::web::StatusError) says what you want; `Site::with_error_page` makes the pages yours.
//! - **Templates**, in the language of Jinja, feature `templates`: see [below](#templates).
//! - **Redirects** by `Response::redirect` stay on the site, whatever a client put in `?next=`.
//! - **Testing** needs no network: a `StringTransport` is a client that you feed, and its clock is yours.
//!
//! # Long polls
//!
//! A long poll is a request that is answered when there is something to tell. Keep its responder; answer in time, as proxies give up after a
//! minute; and answer when the site stops, or it is waited for:
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//! use std::time::Duration;
//! use ropewalk::testing::StringTransport;
//! use ropewalk::web::{Reply, Request, Responder, Router, Site, StatusCode};
//!
//! #[derive(Clone, Default)]
//! struct News(Rc<RefCell<Vec<Responder>>>);
//!
//! impl News {
//!     fn poll(&self, request: &Request) -> Reply {
//!         let (late, stop) = (self.clone(), self.clone());
//!         request.reactor().call_later(Duration::from_secs(50), move |_| late.nothing());
//!         request.on_shutting_down(move || stop.nothing());
//!         request.respond_later(|responder| self.0.borrow_mut().push(responder))
//!     }
//!
//!     fn tell(&self, news: &str) {
//!         let waiting = self.0.take();
//!         waiting.into_iter().for_each(|responder| responder.respond(news.to_owned())); // those who left do not mind
//!     }
//!
//!     fn nothing(&self) {
//!         let waiting = self.0.take();
//!         waiting.into_iter().for_each(|responder| responder.respond(StatusCode::NO_CONTENT));
//!     }
//! }
//!
//! let news = News::default();
//! let asked = news.clone();
//! let site = Site::new(Router::new().get("/news", move |request: &Request| asked.poll(request)));
//! let mut client = StringTransport::builder().factory(site);
//! client.receive("GET /news HTTP/1.1\r\nHost: a\r\n\r\n");
//! assert!(client.take_sent().is_empty());
//! news.tell("tea is ready");
//! client.settle();
//! assert!(client.take_sent().ends_with(b"\r\n\r\ntea is ready"));
//! ```
//!
//! Each poll counts as a request in the works ([`SiteLimits::requests`](crate::web::SiteLimits::requests)). For more than a few clients streams of events
//! are cheaper: nobody asks again.
//!
//! # Templates
//!
#![cfg_attr(feature = "templates", doc = "```")]
#![cfg_attr(not(feature = "templates"), doc = "```ignore")]
//! use ropewalk::testing::StringTransport;
//! use ropewalk::web::{Failure, Request, Response, Router, Site, Templates};
//! use serde_json::json; // or a struct that derives Serialize
//!
//! // Templates::of("templates")? reads a folder; a wrong template in it is an error at the start, with its line.
//! let templates = Templates::from_texts([
//!     ("base.html", "<!doctype html><title>Tea</title>{% block body %}{% endblock %}"),
//!     ("cup.html", "{% extends 'base.html' %}{% block body %}<p>{{ size }} ml of {{ tea }}{% endblock %}"),
//! ])?;
//! let cup = move |request: &Request| -> Result<Response, Failure> {
//!     let tea: String = request.param("tea")?;
//!     templates.render("cup.html", json!({ "tea": tea, "size": 200 }))
//! };
//! let mut client = StringTransport::builder().factory(Site::new(Router::new().get("/cup/{tea}", cup)));
//! client.receive("GET /cup/%3Cb%3E HTTP/1.1\r\nHost: a\r\n\r\n");
//! assert!(client.take_sent().ends_with(b"<p>200 ml of &lt;b&gt;"));
//! # Ok::<(), Failure>(())
//! ```
//!
//! - **Values are escaped** as the ending of the template's name says: for HTML, but as JSON in `.json` and `.js`, and not at all in `.txt`. Put
//!   attributes in quotes, and values into scripts by `{{ value|tojson }}`.
//! - **A value that is not in the context** is an error that names template, line and expression: 500, and in the log. `{{ value|default("") }}`
//!   says that it may be missing.
//! - **While you write pages**, `.reloading()` reads what changed before each page. Without it no page touches the disk.
//! - **Templates are trusted, data is not**: a page has at most 4 MiB and a million steps of the engine, however long the list that a client sent;
//!   see `TemplateLimits`. Templates that users write are programs of strangers: do not run them.
