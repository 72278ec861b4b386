//! WebSocket on tokio, as the users of tungstenite and fastwebsockets write it: a task per connection.

use std::cell::RefCell;
use std::rc::Rc;

use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio_tungstenite::tungstenite::protocol::{Role as TungsteniteRole, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, tungstenite};

use super::{Mode, announce};
use crate::Outcome;
use crate::load::ws::ACCEPT;
use crate::socket;

/// As a server of many idle connections would have them; 128 KiB otherwise.
const SMALL_BUFFER_BYTES: usize = 4096;

/// Which library.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Library {
    Tungstenite,
    Fastwebsockets,
}

/// Who gets what is sent to all.
type Everyone = Rc<RefCell<Vec<UnboundedSender<tungstenite::Message>>>>;

/// Serves until killed.
pub(crate) fn serve(library: Library, mode: Mode) -> Outcome<()> {
    let everyone = Everyone::default();
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (listener, port) = socket::listener()?;
    announce(port)?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            match library {
                Library::Tungstenite if mode == Mode::WsBroadcast => {
                    drop(spawn_local(broadcast(stream, Rc::clone(&everyone))));
                }
                Library::Tungstenite => drop(tokio::spawn(tungstenite(stream, mode))),
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

async fn tungstenite(stream: TcpStream, mode: Mode) -> Result<(), tungstenite::Error> {
    let mut config = WebSocketConfig::default();
    if mode == Mode::WsIdle {
        config = config.read_buffer_size(SMALL_BUFFER_BYTES);
    }
    let mut socket = accept(stream, config).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn accept(
    stream: TcpStream,
    config: WebSocketConfig,
) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
    let (stream, role) = (open(stream).await?, TungsteniteRole::Server);
    Ok(WebSocketStream::from_raw_socket(stream, role, Some(config)).await)
}

/// As in tungstenite's example of a chat: a queue for each, and a task that empties it.
async fn broadcast(stream: TcpStream, everyone: Everyone) -> Result<(), tungstenite::Error> {
    let socket = accept(stream, WebSocketConfig::default()).await?;
    let (mut sink, mut stream) = socket.split();
    let (sender, mut queue) = unbounded_channel();
    everyone.borrow_mut().push(sender);
    spawn_local(async move {
        while let Some(message) = queue.recv().await {
            sink.send(message).await?;
        }
        Ok::<(), tungstenite::Error>(())
    });
    while let Some(message) = stream.next().await {
        let message = message?;
        everyone
            .borrow_mut()
            .retain(|other| other.send(message.clone()).is_ok());
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
