//! cargo run -p ropewalk --example hello_web -- tcp:127.0.0.1:8080
//!
//! A page, a leaf, and a small REST service. Try it: `curl -i http://127.0.0.1:8080/items -d '{"name": "tea"}'`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ropewalk::endpoint::ServerString;
use ropewalk::web::{IntoResponse, Json, Methods, Reply, Request};
use ropewalk::web::{Resource, Response, Router, Site, StatusCode};
use ropewalk::{Failure, program};
use serde::{Deserialize, Serialize};

/// Serves a page, a leaf, and items by REST.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8080")]
    endpoints: Vec<ServerString>,
}

/// A resource answers its own path; a leaf answers all paths below it, too.
struct Leaf;
impl Resource for Leaf {
    fn methods(&self) -> Methods {
        Methods::GET
    }
    fn is_leaf(&self) -> bool {
        true
    }
    fn render_get(&self, request: &Request) -> Reply {
        format!("The leaf was asked for '{}'\n", request.rest()).into()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Item {
    #[serde(skip_deserializing)]
    id: u64,
    name: String,
}

/// The last id, as none is given twice, and the items by theirs: so many at most, whoever posts without end.
#[derive(Clone, Default)]
struct Items(Rc<RefCell<(u64, BTreeMap<u64, Item>)>>);
const MOST_ITEMS: usize = 10_000;
impl Items {
    async fn add(self, request: Request) -> Result<Response, Failure> {
        let item: Item = request.dangerous_json_of_any_type().await?;
        let (id, items) = &mut *self.0.borrow_mut();
        if items.len() >= MOST_ITEMS {
            return Ok(StatusCode::INSUFFICIENT_STORAGE.into_response());
        }
        *id += 1;
        let item = items.entry(*id).insert_entry(Item { id: *id, ..item });
        let created = (StatusCode::CREATED, Json(item.get())).into_response();
        Ok(created.with_header("Location", format!("/items/{id}"))?)
    }
    async fn replace(self, request: Request) -> Result<Option<Json<Item>>, Failure> {
        let id = request.param("id")?;
        let item: Item = request.dangerous_json_of_any_type().await?;
        let items = &mut self.0.borrow_mut().1;
        items.entry(id).and_modify(|old| *old = Item { id, ..item });
        Ok(items.get(&id).cloned().map(Json))
    }
}

/// Functions at paths, for those who prefer them to resources: both stand in one tree. `None` is a 404.
fn routes() -> Router {
    let items = Items::default();
    let [all, add, one, other, rest] = [(); 5].map(|()| items.clone());
    Router::new()
        .get("/hello", |_: &Request| "Hello, Twisted.web!")
        .mount("/hello/leaf", Leaf)
        .get("/items", move |_: &Request| {
            Json(all.0.borrow().1.values().collect::<Vec<_>>()).into_response()
        })
        .post("/items", move |new: Request| add.clone().add(new))
        .get("/items/{id}", move |wanted: &Request| {
            let id = wanted.param("id")?;
            Ok::<_, Failure>(one.0.borrow().1.get(&id).cloned().map(Json))
        })
        .put("/items/{id}", move |new: Request| {
            other.clone().replace(new)
        })
        .delete("/items/{id}", move |old: &Request| {
            let removed = rest.0.borrow_mut().1.remove(&old.param("id")?);
            Ok::<_, Failure>(removed.map(|_| StatusCode::NO_CONTENT))
        })
}

fn main() -> std::process::ExitCode {
    program::run(|options: Options| ropewalk::serve(options.endpoints, Site::new(routes())))
}

#[cfg(test)]
#[path = "tests/hello_web.rs"]
mod tests;
