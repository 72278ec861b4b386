//! `web`: a web server in one line.
//!
//! ```text
//!   options ─► content: files, another server, a greeting ─► password, CORS ─► Site: log, proxies ─► endpoints
//! ```

mod access_file;
mod auth;
pub(crate) mod endpoints;
mod limits;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Parser;
use ropewalk::protocols::AllowedPeers;
use ropewalk::web::{
    AccessFormat, Cors, Gzip, Request, Resource, ReverseProxy, Router, Site, StaticFiles,
    TrustedProxies,
};
use ropewalk::{Failure, Handle};

use self::access_file::AccessFile;
pub(crate) use self::endpoints::url;
use self::limits::Limits;
use crate::log::Rotation;
use crate::setup::Setup;

/// Serves a folder, or another server, by HTTP
#[derive(Parser)]
#[command(name = "web", after_help = HELP)]
pub(crate) struct Web {
    /// Where to listen; as many as you like [default: tcp:127.0.0.1:8080]
    #[arg(value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// Where to listen, as well
    #[arg(long, value_name = "ENDPOINT")]
    listen: Vec<String>,
    #[command(flatten)]
    content: Content,
    /// Folders without an index are 403, not a listing
    #[arg(long, conflicts_with_all = ["proxy", "hello"])]
    no_listing: bool,
    /// Let browsers keep files for so many seconds without asking
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["proxy", "hello"])]
    cache: Option<u32>,
    /// Speak TLS, with the certificate and its chain in this file, which is read anew at SIGHUP
    #[arg(long, value_name = "PEM")]
    tls: Option<PathBuf>,
    /// The certificate's private key, if it is in another file
    #[arg(long, value_name = "PEM", requires = "tls")]
    tls_key: Option<PathBuf>,
    /// Write a line per request to this file, which is opened anew at SIGHUP, instead of the log; `off` writes none
    #[arg(long, visible_alias = "access-log", value_name = "FILE")]
    log: Option<PathBuf>,
    /// Begin a new file of these lines by size (size=10M) or day (daily, in UTC); old ones become FILE.1, FILE.2 …
    #[arg(long, value_name = "WHEN", requires = "log")]
    access_rotate: Option<Rotation>,
    /// How many old ones are kept
    #[arg(
        long,
        value_name = "N",
        requires = "access_rotate",
        default_value_t = 10
    )]
    access_keep: u32,
    /// What such a line looks like: combined, as other servers write it, or json
    #[arg(long, value_name = "FORMAT", default_value = "combined", value_parser = access_format)]
    access_format: AccessFormat,
    /// Let pages of this origin read the answers, such as https://example.com; * is all
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    cors: Vec<String>,
    /// Ask for a name and a password, which are in this file; see --hash-password
    #[arg(long, value_name = "FILE")]
    auth: Option<PathBuf>,
    /// Read a password from the first line of stdin, print the line for this user in such a file, and do nothing else
    #[arg(long, value_name = "USER", exclusive = true)]
    hash_password: Option<String>,
    /// Believe these proxies when they say by X-Forwarded-For for whom they ask
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxies: Option<AllowedPeers>,
    #[command(flatten)]
    limits: Limits,
}

/// What is served.
#[derive(clap::Args)]
#[group(multiple = false)]
struct Content {
    /// Serve the files in this folder [default: the one we are in]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Pass requests on to another server, such as http://127.0.0.1:3000
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Greet everybody: to try things out
    #[arg(long)]
    hello: bool,
}

const HELP: &str = "\
Examples:
  ropewalk web                        serves this folder at http://127.0.0.1:8080/
  ropewalk web --path site tcp:0.0.0.0:80 tcp:[::]:80
                                      another one, for other machines too
  ropewalk web --path site --tls site.pem --tls-key site.key --listen tcp:0.0.0.0:443
                                      by https
  ropewalk web --proxy http://127.0.0.1:3000 --log access.log
                                      stands before another server, and logs
  ropewalk web --hash-password ann >>users; ropewalk web --auth users
                                      for those who know a password
  ropewalk web --hello                greets, to try things out";

impl Web {
    pub(crate) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        if let Some(user) = &self.hash_password {
            return Err(auth::print_line(user));
        }
        let endpoints = endpoints::of(
            self.endpoints(),
            self.tls.as_deref(),
            self.tls_key.as_deref(),
        )?;
        let root = self.root(setup.reactor())?;
        let mut site = Site::new(root).with_limits(self.limits.of_site());
        if let Some(peers) = self.trusted_proxies {
            site = site.with_trusted_proxies(TrustedProxies::x_forwarded(peers));
        }
        site = match &self.log {
            None => site.with_access_log(self.access_format, to_log),
            Some(path) if path.as_os_str() == "off" => site,
            Some(_) if setup.is_check() => site,
            Some(path) => {
                let file =
                    AccessFile::open(path, self.access_rotate, self.access_keep, setup.reactor())?;
                site.with_access_log(self.access_format, move |line| file.write(line))
            }
        };
        setup.say_of_ports(endpoints::url);
        setup.listen(endpoints, site)
    }

    fn endpoints(&self) -> Vec<String> {
        let mut endpoints = [&*self.endpoints, &*self.listen].concat();
        if endpoints.is_empty() {
            endpoints.push("tcp:127.0.0.1:8080".to_owned());
        }
        endpoints
    }

    fn content(&self, handle: &Handle) -> Result<Rc<dyn Resource>, Failure> {
        let Content { path, proxy, hello } = &self.content;
        if *hello {
            let greet = |_: &Request| "Hello, World!";
            return Ok(Rc::new(Router::new().get("/{rest*}", greet)));
        }
        if let Some(url) = proxy {
            let proxy = ReverseProxy::new(handle, url.as_str())?;
            return Ok(Rc::new(self.limits.of_proxy(proxy)));
        }
        let path = path.as_deref().unwrap_or(Path::new("."));
        let mut files = StaticFiles::of(path)?.with_precompressed();
        if self.no_listing {
            files = files.without_listing();
        }
        if let Some(seconds) = self.cache {
            // Once in the life of the process.
            files = files.with_cache_control(format!("max-age={seconds}").leak());
        }
        Ok(Rc::new(Gzip::new().wrap(files)))
    }

    /// The content, with all that stands before it: how often, from where, and then who asks.
    fn root(&self, handle: &Handle) -> Result<Rc<dyn Resource>, Failure> {
        let mut root = self.content(handle)?;
        if let Some(path) = &self.auth {
            root = Rc::new(auth::guard(path, root)?);
        }
        if !self.cors.is_empty() {
            let mut cors = Cors::new(root);
            for origin in &self.cors {
                cors = match &**origin {
                    "*" => cors.with_any_origin(),
                    origin => cors.with_origin(origin),
                };
            }
            root = Rc::new(cors);
        }
        Ok(match self.limits.rated(root) {
            Ok(rated) => Rc::new(rated),
            Err(unrated) => unrated,
        })
    }
}

/// Among what else the process logs, under a target of its own.
fn to_log(line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    tracing::info!(target: "access", "{}", line.trim_end());
}

fn access_format(text: &str) -> Result<AccessFormat, &'static str> {
    match text {
        "combined" => Ok(AccessFormat::Combined),
        "json" => Ok(AccessFormat::Json),
        _ => Err("must be combined or json"),
    }
}

pub(crate) fn origin(text: &str) -> Result<String, &'static str> {
    match text == "*" || Cors::is_origin(text) {
        true => Ok(text.to_owned()),
        false => Err("must be an origin such as https://example.com, without a path, or * for all"),
    }
}
