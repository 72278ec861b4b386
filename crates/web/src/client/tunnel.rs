//! A tunnel through an HTTP proxy (RFC 9110 9.3.6), as a layer: what is above is open once the proxy has agreed, and sees nothing of it.

use std::error::Error;
use std::fmt;

use http::{HeaderValue, StatusCode};
use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Layer, Protocol, Transport};
use ropewalk_grammar::http1::{BodyLength, ClientExchange, Event, Method, Name, ResponseDecoder};

/// Why a proxy opened no tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TunnelError {
    /// It answered so: 407 wants credentials, 403 and 502 are what they are elsewhere.
    Refused(StatusCode),
    /// Its answer breaks the rules of HTTP.
    Malformed(String),
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(StatusCode::PROXY_AUTHENTICATION_REQUIRED) => f.write_str(
                "the proxy wants a name and a password (407); write http://NAME:PASSWORD@HOST:PORT for it",
            ),
            Self::Refused(status) => write!(f, "the proxy opens no tunnel: {status}"),
            Self::Malformed(rule) => {
                write!(f, "the proxy's answer breaks the rules of HTTP: {rule}")
            }
        }
    }
}

impl Error for TunnelError {}

/// Asks a proxy for a tunnel below the layers of another factory.
pub(super) struct TunnelFactory {
    authority: String,
    authorization: Option<HeaderValue>,
    factory: Box<dyn Factory>,
}

impl TunnelFactory {
    /// To `authority`, a host and a port.
    pub(super) fn new(
        authority: String,
        authorization: Option<HeaderValue>,
        factory: Box<dyn Factory>,
    ) -> Self {
        Self {
            authority,
            authorization,
            factory,
        }
    }
}

impl Factory for TunnelFactory {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        let tunnel = Tunnel {
            authority: self.authority.clone(),
            authorization: self.authorization.clone(),
            decoder: ResponseDecoder::new(),
            is_open: false,
        };
        let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(tunnel)];
        layers.extend(self.factory.layers(peer));
        layers
    }
}

struct Tunnel {
    authority: String,
    authorization: Option<HeaderValue>,
    decoder: ResponseDecoder,
    is_open: bool,
}

impl Tunnel {
    fn refused(error: TunnelError) -> LayerError {
        LayerError::Misbehaved(Box::new(error))
    }

    /// Reads the proxy's answer; gives what came behind it once it is there.
    fn read(&mut self, data: &[u8]) -> Result<Option<Vec<u8>>, LayerError> {
        let mut input = self.decoder.receive(data);
        while let Some(event) = input.next_event() {
            let event =
                event.map_err(|error| Self::refused(TunnelError::Malformed(error.to_string())))?;
            match event {
                Event::Head(head) if head.is_switch() => self.is_open = true,
                Event::Head(head) if !head.is_interim() => {
                    let status = StatusCode::from_u16(head.status());
                    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
                    return Err(Self::refused(TunnelError::Refused(status)));
                }
                _ => {}
            }
            if self.is_open {
                return Ok(Some(input.take_rest()));
            }
        }
        Ok(None)
    }
}

impl Layer for Tunnel {
    fn name(&self) -> &'static str {
        "CONNECT"
    }

    fn start(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        let host = [(Name::Host.as_str(), self.authority.as_bytes())];
        let authorization = self.authorization.as_ref();
        let authorization =
            authorization.map(|value| (Name::ProxyAuthorization.as_str(), value.as_bytes()));
        let fields = host.into_iter().chain(authorization);
        ClientExchange::new(Method::Connect)
            .send_head(
                &self.authority,
                fields,
                BodyLength::Empty,
                &mut self.decoder,
                down,
            )
            .map_err(|error| LayerError::Misbehaved(Box::new(error)))
    }

    fn is_open(&self) -> bool {
        self.is_open
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        if self.is_open {
            up(data);
        } else if let Some(mut rest) = self.read(data)?
            && !rest.is_empty()
        {
            up(&mut rest);
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend_from_slice(data);
    }

    fn eof(&mut self) -> Result<(), LayerError> {
        match self.is_open {
            true => Ok(()),
            false => Err(LayerError::Truncated),
        }
    }
}
