//! WebSocket echo by yawc, which compresses, on tokio's current-thread runtime and hyper; the mode is its argument.

use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ropewalk_bench_peers::listen;
use yawc::frame::OpCode;
use yawc::{CompressionLevel, HttpWebSocket, Options, WebSocket, WebSocketError};

/// More than the longest message: it counts what is around it too.
const LONGEST: usize = 64 << 20;

fn options(mode: &str) -> Options {
    let options = Options::default().with_no_delay().with_utf8().with_limits(LONGEST, 2 * LONGEST);
    if !mode.contains("deflate") {
        return options.without_compression();
    }
    let options = options.with_compression_level(CompressionLevel::fast());
    match mode.contains("takeover") {
        true => options,
        false => options.server_no_context_takeover().client_no_context_takeover(),
    }
}

async fn echo(mut socket: HttpWebSocket) {
    while let Some(frame) = socket.next().await {
        if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) && socket.send(frame).await.is_err() {
            return;
        }
    }
}

type Answer = Response<http_body_util::Empty<hyper::body::Bytes>>;

async fn upgrade(mut request: Request<Incoming>, options: Options) -> Result<Answer, WebSocketError> {
    let (answer, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(async move {
        if let Ok(socket) = upgraded.await {
            echo(socket).await;
        }
    });
    Ok(answer)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let listener = tokio::net::TcpListener::from_std(listen()).expect("a listener");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).expect("an option");
        let options = options(&mode);
        let serve = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(move |request| upgrade(request, options.clone())))
            .with_upgrades();
        tokio::spawn(serve);
    }
}
