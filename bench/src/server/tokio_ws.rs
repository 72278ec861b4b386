//! WebSocket on tokio, as the users of tungstenite and fastwebsockets write it: a task per connection.

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_tungstenite::tungstenite::protocol::{Role as TungsteniteRole, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, tungstenite};

use super::announce;
use crate::Outcome;
use crate::load::ws::ACCEPT;
use crate::socket;

/// Which library.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Library {
    Tungstenite,
    Fastwebsockets,
}

/// Serves until killed.
pub(crate) fn serve(library: Library) -> Outcome<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (listener, port) = socket::listener()?;
    announce(port)?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            match library {
                Library::Tungstenite => drop(tokio::spawn(tungstenite(stream))),
                Library::Fastwebsockets => drop(tokio::spawn(fastwebsockets(stream))),
            }
        }
    })
}

/// The handshake is no part of what is measured.
async fn open(mut stream: TcpStream) -> std::io::Result<TcpStream> {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).await?;
        request.push(byte[0]);
    }
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok(stream)
}

async fn tungstenite(stream: TcpStream) -> Result<(), tungstenite::Error> {
    use futures_util::{SinkExt, StreamExt};
    let config = WebSocketConfig::default();
    let stream = open(stream).await?;
    let mut socket =
        WebSocketStream::from_raw_socket(stream, TungsteniteRole::Server, Some(config)).await;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn fastwebsockets(stream: TcpStream) -> Result<(), fastwebsockets::WebSocketError> {
    let stream = open(stream).await?;
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_writev(false);
    socket.set_auto_close(true);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}
