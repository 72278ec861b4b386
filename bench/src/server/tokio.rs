//! tokio on its current-thread runtime, written as its users write it: a task per connection.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use super::bare::RECEIVE_BYTES;
use super::{Mode, announce, tokio_streams};
use crate::Outcome;
use crate::load::wire::Over;
use crate::socket;

/// A task owns its buffer: whoever expects many idle connections makes it small.
pub(crate) const SMALL_BUFFER_BYTES: usize = 4096;
const IDLE_LIMIT: Duration = Duration::from_secs(30);

type Everyone = Rc<RefCell<Vec<OwnedWriteHalf>>>;

/// Serves until killed.
pub(crate) fn serve(mode: Mode, backend: u16) -> Outcome<()> {
    let mut builder = Builder::new_current_thread();
    builder.enable_io();
    if mode == Mode::EchoTimeout {
        builder.enable_time();
    }
    let runtime = builder.build()?;
    if mode == Mode::Unix {
        return tokio_streams::unix(&runtime);
    }
    let (listener, port) = socket::listener()?;
    announce(port)?;
    match mode {
        Mode::Broadcast => broadcast(&runtime, listener),
        Mode::Forward => tokio_streams::forward(&runtime, listener, backend),
        _ if mode.over() == Over::Tls => tokio_streams::serve(&runtime, listener, mode),
        _ => accept(&runtime, listener, mode),
    }
}

fn accept(runtime: &Runtime, listener: std::net::TcpListener, mode: Mode) -> Outcome<()> {
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            match mode {
                Mode::EchoTimeout => tokio::spawn(echo_with_timeout(stream)),
                Mode::Accept => tokio::spawn(wait_for_end(stream)),
                Mode::Idle => tokio::spawn(echo(stream, SMALL_BUFFER_BYTES)),
                _ => tokio::spawn(echo(stream, RECEIVE_BYTES)),
            };
        }
    })
}

async fn echo(mut stream: TcpStream, buffer_bytes: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; buffer_bytes];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn echo_with_timeout(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        let count = timeout(IDLE_LIMIT, stream.read(&mut buffer)).await??;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn wait_for_end(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; 1024];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

fn broadcast(runtime: &Runtime, listener: std::net::TcpListener) -> Outcome<()> {
    LocalSet::new().block_on(runtime, async {
        let listener = TcpListener::from_std(listener)?;
        let everyone = Everyone::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            everyone.borrow_mut().push(writer);
            spawn_local(send_to_all(reader, Rc::clone(&everyone)));
        }
    })
}

/// The quickest way tokio has: no channel, no task between, a direct try on each socket.
async fn send_to_all(mut reader: OwnedReadHalf, everyone: Everyone) {
    let mut buffer = [0; 8192];
    while let Ok(count) = reader.read(&mut buffer).await {
        if count == 0 {
            return;
        }
        for writer in everyone.borrow().iter() {
            // The generator waits for each message, so no buffer is ever full.
            assert_eq!(
                writer.try_write(&buffer[..count]).ok(),
                Some(count),
                "a full buffer"
            );
        }
    }
}
