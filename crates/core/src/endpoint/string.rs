//! Endpoint strings as values of their own: for options and configurations, where a wrong one is told at once.

use std::fmt;
use std::str::FromStr;

use super::{ClientEndpoint, Destination, EndpointError, Listening, ServerEndpoint};

/// The endpoint string of a server, known to be understood: the type of an option of a command line.
///
/// ```
/// use ropewalk_core::endpoint::ServerString;
///
/// let endpoint: ServerString = "tcp:127.0.0.1:0".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp:127.0.0.1:0");
/// assert!("tcp:127.0.0.1:http".parse::<ServerString>().is_err());
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerString(String);

/// The endpoint string of a client, known to be understood: the type of an option of a command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientString(String);

impl FromStr for ServerString {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        text.listening()?;
        Ok(Self(text.to_owned()))
    }
}

impl ServerEndpoint for ServerString {
    fn listening(&self) -> Result<Listening, EndpointError> {
        self.0.listening()
    }
}

impl fmt::Display for ServerString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ClientString {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        text.destination()?;
        Ok(Self(text.to_owned()))
    }
}

impl ClientEndpoint for ClientString {
    fn destination(&self) -> Result<Destination, EndpointError> {
        self.0.destination()
    }
}

impl fmt::Display for ClientString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
