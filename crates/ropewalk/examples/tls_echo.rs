//! cargo run -p ropewalk --example tls_echo -- --cert site.pem --key site.key tls:127.0.0.1:1234
//!
//! Sends back what it gets, over TLS 1.2 and 1.3. Try it: `openssl s_client -connect 127.0.0.1:1234`.

use std::path::PathBuf;
use std::process::ExitCode;

use ropewalk::endpoint::{Description, EndpointError};
use ropewalk::tls::TlsFacts;
use ropewalk::{Protocol, Reason, Transport, program};

/// Sends back what it gets, over TLS.
#[derive(clap::Parser)]
struct Options {
    /// The certificate, with its chain behind it, as PEM
    #[arg(long, value_name = "PEM")]
    cert: PathBuf,
    /// Its private key
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tls:127.0.0.1:1234")]
    endpoints: Vec<Description>,
}

impl Options {
    /// The endpoints with certificate and key, which could as well be given in the string: `tls:1234:cert=…:key=…`.
    fn endpoints(&self) -> Result<Vec<String>, EndpointError> {
        let endpoint = |endpoint: &Description| {
            if endpoint.kind() != "tls" {
                return Err(endpoint.unknown_type(&["tls"]));
            }
            let mut endpoint = endpoint.clone();
            for (option, path) in [("cert", &self.cert), ("key", &self.key)] {
                if !endpoint.has_option(option) {
                    endpoint = endpoint.with_option(option, &path.to_string_lossy());
                }
            }
            Ok(endpoint.to_string())
        };
        self.endpoints.iter().map(endpoint).collect()
    }
}

struct Echo;

impl Protocol for Echo {
    /// The handshake is over; what it found out are facts of the connection.
    fn connection_made(&mut self, transport: &Transport) {
        if let Some(tls) = transport.fact::<TlsFacts>() {
            tracing::info!(peer = %transport.peer(), version = %tls.version, suite = tls.cipher_suite, "connected");
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        tracing::info!(peer = %transport.peer(), %reason, "disconnected");
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let endpoints = options.endpoints()?;
        ropewalk::serve(endpoints, || Echo)
    })
}

#[cfg(test)]
#[path = "tests/tls_echo.rs"]
mod tests;
