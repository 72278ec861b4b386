//! actix-web with one worker.

use actix_web::web::{Json, get};
use actix_web::{App, HttpServer};
use ropewalk_bench_peers::{HELLO, ITEMS, Item, listen};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let listener = listen();
    let server = HttpServer::new(|| {
        let mut app = App::new().route("/", get().to(|| async { HELLO }));
        for number in 0..ITEMS {
            let item = move || async move { Json(Item::of(number)) };
            app = app.route(&format!("/shelf/{number}/item"), get().to(item));
        }
        app
    });
    server.workers(1).backlog(4096).disable_signals().listen(listener)?.run().await
}
