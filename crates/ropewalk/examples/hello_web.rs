//! cargo run -p ropewalk --example hello_web -- tcp:127.0.0.1:8080
//!
//! A page, a leaf, and a small REST service. Try it: `curl -i http://127.0.0.1:8080/items -d '{"name": "tea"}'`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::rc::Rc;

use ropewalk::endpoint::ServerString;
use ropewalk::web::{IntoResponse, Response, StatusCode, StatusError};
use ropewalk::web::{Json, Methods, Reply, Request, Resource, Router, Site};
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

/// The items by their ids, which are never given twice; and so many at most, whoever posts without end.
#[derive(Clone, Default)]
struct Items(Rc<RefCell<(u64, BTreeMap<u64, Item>)>>);
const MOST_ITEMS: usize = 10_000;

impl Items {
    async fn add(self, request: Request) -> Result<Response, Failure> {
        let mut item = received(&request).await?;
        let (last_id, items) = &mut *self.0.borrow_mut();
        if items.len() >= MOST_ITEMS {
            return Err(StatusError::from(StatusCode::INSUFFICIENT_STORAGE).into());
        }
        *last_id += 1;
        item.id = *last_id;
        items.insert(item.id, item.clone());
        let created = (StatusCode::CREATED, Json(&item)).into_response();
        Ok(created.with_header("Location", format!("/items/{}", item.id))?)
    }

    fn one(&self, request: &Request) -> Result<Response, Failure> {
        let items = &self.0.borrow().1;
        let item = items.get(&request.param("id")?);
        Ok(Json(item.ok_or(StatusError::from(StatusCode::NOT_FOUND))?).into_response())
    }

    async fn replace(self, request: Request) -> Result<Response, Failure> {
        let id = request.param("id")?;
        let item = Item {
            id,
            ..received(&request).await?
        };
        if let Some(place) = self.0.borrow_mut().1.get_mut(&id) {
            *place = item;
        }
        self.one(&request)
    }

    fn remove(&self, request: &Request) -> Result<StatusCode, Failure> {
        let removed = self.0.borrow_mut().1.remove(&request.param("id")?);
        Ok(removed.map_or(StatusCode::NOT_FOUND, |_| StatusCode::NO_CONTENT))
    }

    fn all(&self) -> Response {
        Json(self.0.borrow().1.values().collect::<Vec<_>>()).into_response()
    }
}

/// Functions at paths, for those who prefer them to resources: both stand in one tree.
fn routes() -> Router {
    let items = Items::default();
    let [all, add, one, replace, remove] = [(); 5].map(|()| items.clone());
    Router::new()
        .get("/hello", |_: &Request| "Hello, Twisted.web!")
        .mount("/hello/leaf", Leaf)
        .get("/items", move |_: &Request| all.all())
        .post("/items", move |new: Request| add.clone().add(new))
        .get("/items/{id}", move |wanted: &Request| one.one(wanted))
        .put("/items/{id}", move |new: Request| {
            replace.clone().replace(new)
        })
        .delete("/items/{id}", move |old: &Request| remove.remove(old))
}

async fn received(request: &Request) -> Result<Item, Failure> {
    let read = serde_json::from_slice(&request.bytes().await?);
    Ok(read.map_err(|error| StatusError::new(StatusCode::BAD_REQUEST, error.to_string()))?)
}

fn main() -> ExitCode {
    program::run(|options: Options| ropewalk::serve(options.endpoints, Site::new(routes())))
}

#[cfg(test)]
#[path = "tests/hello_web.rs"]
mod tests;
