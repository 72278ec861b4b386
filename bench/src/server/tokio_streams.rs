//! tokio and tokio-rustls over what is not plain TCP: echo over TLS and UNIX sockets, and a forwarder.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional_with_sizes,
};
use tokio::net::{TcpStream, UnixListener};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::Mode;
use super::bare::RECEIVE_BYTES;
use super::tokio::SMALL_BUFFER_BYTES;
use crate::Outcome;
use crate::{socket, tls};

/// Accepts, shakes hands, echoes.
pub(crate) fn serve(runtime: &Runtime, listener: TcpListener, mode: Mode) -> Outcome<()> {
    let acceptor = TlsAcceptor::from(tls::server_config()?);
    let bytes = if mode == Mode::TlsEcho {
        RECEIVE_BYTES
    } else {
        SMALL_BUFFER_BYTES
    };
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                echo(acceptor.accept(stream).await?, bytes).await
            });
        }
    })
}

/// Forwards to `backend` on 127.0.0.1.
pub(crate) fn forward(runtime: &Runtime, listener: TcpListener, backend: u16) -> Outcome<()> {
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (mut near, _) = listener.accept().await?;
            tokio::spawn(async move {
                let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, backend)).await?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                let sizes = (RECEIVE_BYTES, RECEIVE_BYTES);
                copy_bidirectional_with_sizes(&mut near, &mut far, sizes.0, sizes.1).await
            });
        }
    })
}

/// Echoes over UNIX sockets.
pub(crate) fn unix(runtime: &Runtime) -> Outcome<()> {
    let listener = socket::unix_listener()?;
    runtime.block_on(async {
        let listener = UnixListener::from_std(listener)?;
        super::announce(0)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(echo(stream, RECEIVE_BYTES));
        }
    })
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: usize) -> io::Result<()> {
    let mut buffer = vec![0; bytes];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
    }
}
