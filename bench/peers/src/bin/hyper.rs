//! hyper on tokio's current-thread runtime. It has no router: a match is what its users write.

use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ropewalk_bench_peers::{HELLO, Item, listen};

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/" {
        let hello = Full::new(Bytes::from_static(HELLO.as_bytes()));
        let mut response = Response::new(hello);
        response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/plain; charset=utf-8"));
        return Ok(response);
    }
    let number = path.strip_prefix("/shelf/").and_then(|rest| rest.strip_suffix("/item"));
    let item = Item::of(number.and_then(|number| number.parse().ok()).unwrap_or_default());
    let json = serde_json::to_vec(&item).expect("it is JSON");
    let mut response = Response::new(Full::new(json.into()));
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = tokio::net::TcpListener::from_std(listen()).expect("a listener");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let serve = hyper::server::conn::http1::Builder::new()
            .pipeline_flush(true)
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(serve);
    }
}
