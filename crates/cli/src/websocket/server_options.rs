//! What the servers have in common.

use std::path::PathBuf;
use std::time::Duration;

use ropewalk::web::websocket::{
    Opening, Origins, Refusal, WebSocketOptions, WebSocketProtocol, WebSocketServer,
};
use ropewalk::{Failure, ListeningPort, program};

use super::compression::Compression;
use crate::setup::Setup;
use crate::web::{endpoints, origin};

#[derive(clap::Args)]
pub(super) struct ServerOptions {
    /// Where to listen; as many as you like [default: tcp:127.0.0.1:8080]
    #[arg(value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// Serve this path alone, such as /ws; all others are 404
    #[arg(long, value_name = "PATH", value_parser = path)]
    path: Option<String>,
    /// Speak this subprotocol, if the client offers it; the first of several is the favourite
    #[arg(long, short, value_name = "NAME", value_parser = subprotocol)]
    subprotocol: Vec<String>,
    /// The longest message that is accepted, decompressed; a longer one is closed with 1009
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = program::bytes)]
    max_message: usize,
    #[command(flatten)]
    compression: Compression,
    /// Let pages of this origin connect, such as https://example.com; * is all [default: pages of the server's own host]
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    origin: Vec<String>,
    /// Send a ping after so many seconds of silence; 0 sends none
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = program::seconds)]
    ping: Duration,
    /// Speak TLS, with the certificate and its chain in this file, which is read anew at SIGHUP
    #[arg(long, value_name = "PEM")]
    tls: Option<PathBuf>,
    /// The certificate's private key, if it is in another file
    #[arg(long, value_name = "PEM", requires = "tls")]
    tls_key: Option<PathBuf>,
}

/// A client that does not answer our goodbye keeps the stop for so long.
const PARTING_TIME: Duration = Duration::from_secs(2);

impl ServerOptions {
    /// Serves protocols that `make` makes, of those requests that the options let through.
    pub(super) fn serve<P: WebSocketProtocol>(
        mut self,
        setup: &mut Setup,
        mut make: impl FnMut(&Opening<'_>) -> P + 'static,
    ) -> Result<(), Failure> {
        let mut wanted = std::mem::take(&mut self.endpoints);
        if wanted.is_empty() {
            wanted.push("tcp:127.0.0.1:8080".to_owned());
        }
        let wanted = endpoints::of(wanted, self.tls.as_deref(), self.tls_key.as_deref())?;
        let path = self.path.take();
        let server = WebSocketServer::fallible(move |opening| match &path {
            Some(path) if path != opening.path() => Err(Refusal::new(
                404,
                format!("there is nothing here; the WebSocket is at {path}"),
            )),
            _ => Ok(make(opening)),
        });
        let server = server
            .with_options(self.options())
            .with_origins(self.origins())
            .with_subprotocols(self.subprotocol);
        setup.say_of_ports(url);
        setup.listen(wanted, server)
    }

    fn options(&self) -> WebSocketOptions {
        WebSocketOptions {
            limit_bytes: self.max_message,
            deflate: self.compression.deflate(),
            heartbeat: Some(self.ping).filter(|ping| !ping.is_zero()),
            close_timeout: PARTING_TIME,
            ..WebSocketOptions::default()
        }
    }

    fn origins(&self) -> Origins {
        match &*self.origin {
            [] => Origins::Same,
            list if list.iter().any(|origin| origin == "*") => Origins::DangerousAny,
            list => Origins::SameAnd(list.to_vec()),
        }
    }
}

fn url(port: &ListeningPort) -> Option<String> {
    let url = endpoints::url(port)?;
    Some(url.replacen("http", "ws", 1))
}

fn path(text: &str) -> Result<String, &'static str> {
    let is_path = text.starts_with('/') && !text.contains(['?', '#', ' ']);
    match is_path {
        true => Ok(text.to_owned()),
        false => Err("must be a path such as /ws"),
    }
}

pub(super) fn subprotocol(text: &str) -> Result<String, &'static str> {
    use ropewalk::grammar::websocket::ClientHandshake;
    match ClientHandshake::new([0; 16]).with_protocol(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("must be a word of letters, digits and !#$%&'*+-.^_`|~, such as chat.v1"),
    }
}
