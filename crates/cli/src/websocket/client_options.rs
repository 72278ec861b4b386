//! What the clients have in common: how a WebSocket is asked for.

use std::path::PathBuf;
use std::time::Duration;

use ropewalk::tls::{ClientOptions as TlsOptions, Roots};
use ropewalk::web::websocket::{WebSocketClient, WebSocketOptions};
use ropewalk::web::{Agent, Proxies, Redirects};
use ropewalk::{Failure, Handle, program};

use super::compression::Compression;
use super::server_options::subprotocol;

#[derive(Clone, clap::Args)]
#[command(next_help_heading = "The request")]
pub(super) struct ClientOptions {
    /// Send a header with the request
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// Send a cookie
    #[arg(long, value_name = "NAME=VALUE")]
    cookie: Vec<String>,
    /// Say who we are; whoever lists processes sees it
    #[arg(long, value_name = "USER:PASSWORD")]
    basic: Option<String>,
    /// Send a token
    #[arg(long, value_name = "TOKEN", conflicts_with = "basic")]
    bearer: Option<String>,
    /// Say that a page of this origin asks
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// Offer a subprotocol
    #[arg(long, short, value_name = "NAME", value_parser = subprotocol)]
    subprotocol: Vec<String>,
    #[command(flatten)]
    compression: Compression,
    /// The longest message that is accepted, decompressed
    #[arg(long, value_name = "BYTES", default_value = "16777216", value_parser = program::bytes)]
    max_message: usize,
    /// Follow redirects; credentials stay behind where the origin changes
    #[arg(long)]
    follow: bool,
    /// Ask this proxy for a tunnel, http://[USER:PASSWORD@]HOST:PORT, or `none` [default: as http_proxy, https_proxy and no_proxy say]
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Connect here, whatever the URL says: unix:/run/app.sock
    #[arg(long, value_name = "ENDPOINT")]
    endpoint: Option<String>,
    /// Trust the authorities in this file, and no others
    #[arg(long, value_name = "PEM")]
    cacert: Option<PathBuf>,
    /// Trust any certificate: whoever is on the way can read and change everything
    #[arg(long)]
    insecure: bool,
    /// How long the server may take to answer
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = program::seconds)]
    timeout: Duration,
    /// Send a ping after so many seconds of silence, and give the peer up that does not answer; 0 sends none
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = program::seconds)]
    ping: Duration,
}

impl ClientOptions {
    pub(super) fn agent(&self, handle: &Handle) -> Result<Agent, Failure> {
        let mut agent = Agent::new(handle).with_proxies(self.proxies()?);
        if let Some(endpoint) = &self.endpoint {
            agent = agent.with_endpoint(endpoint)?;
        }
        if self.cacert.is_some() || self.insecure {
            let roots = match &self.cacert {
                Some(path) => Roots::from_file(path)?,
                None => Roots::platform()?,
            };
            let mut tls = TlsOptions::new(roots);
            if self.insecure {
                tls = tls.dangerous_accept_anyone();
            }
            agent = agent.with_tls(tls)?;
        }
        Ok(agent)
    }

    fn proxies(&self) -> Result<Proxies, Failure> {
        Ok(match self.proxy.as_deref() {
            None => Proxies::from_environment()?,
            Some("none") => Proxies::none(),
            Some(url) => Proxies::all(url)?,
        })
    }

    /// Asks for this URL, which is `ws:` if it does not say.
    pub(super) fn client(&self, url: &str) -> Result<WebSocketClient, Failure> {
        let mut client = match url.contains("://") {
            true => WebSocketClient::new(url)?,
            false => WebSocketClient::new(format!("ws://{url}"))?,
        };
        for (name, value) in &self.header {
            client = client.with_header(name.as_str(), value.as_str())?;
        }
        if !self.cookie.is_empty() {
            client = client.with_header("Cookie", self.cookie.join("; "))?;
        }
        if let Some(origin) = &self.origin {
            client = client.with_header("Origin", origin.as_str())?;
        }
        if let Some(basic) = &self.basic {
            let (user, password) = basic.split_once(':').unwrap_or((basic, ""));
            client = client.with_basic_auth(user, password);
        }
        if let Some(token) = &self.bearer {
            client = client.with_bearer_auth(token)?;
        }
        for name in &self.subprotocol {
            client = client.with_subprotocol(name)?;
        }
        if self.follow {
            client = client.with_redirects(Redirects::strict());
        }
        Ok(client.with_options(self.options()))
    }

    fn options(&self) -> WebSocketOptions {
        WebSocketOptions {
            limit_bytes: self.max_message,
            deflate: self.compression.deflate(),
            heartbeat: Some(self.ping).filter(|ping| !ping.is_zero()),
            handshake_timeout: self.timeout,
            ..WebSocketOptions::default()
        }
    }
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text
        .split_once(':')
        .ok_or("must be a name, a colon and a value, such as 'X-Room: 7'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
