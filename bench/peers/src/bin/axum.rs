//! axum on tokio's current-thread runtime.

use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use ropewalk_bench_peers::{HELLO, ITEMS, Item, listen};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut router = Router::new().route("/", get(|| async { HELLO }));
    for number in 0..ITEMS {
        let item = move || async move { Json(Item::of(number)) };
        router = router.route(&format!("/shelf/{number}/item"), get(item));
    }
    let listener = tokio::net::TcpListener::from_std(listen()).expect("a listener");
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("an option"));
    axum::serve(listener, router).await.expect("it serves");
}
