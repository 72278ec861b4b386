//! Endpoint strings as values of their own: for options and configurations, where a wrong one is told at once.

use std::fmt;
use std::str::FromStr;

use super::{
    ClientEndpoint, DatagramEndpoint, Destination, EndpointError, Listening, ServerEndpoint,
};
use crate::driver::Bind;

/// A text that was read once, for one use.
macro_rules! endpoint_string {
    ($(#[$about:meta])* $name:ident: $endpoint:ident, $read:ident -> $value:ty) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = EndpointError;

            fn from_str(text: &str) -> Result<Self, EndpointError> {
                text.$read()?;
                Ok(Self(text.to_owned()))
            }
        }

        impl $endpoint for $name {
            fn $read(&self) -> Result<$value, EndpointError> {
                self.0.$read()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

endpoint_string! {
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
    ServerString: ServerEndpoint, listening -> Listening
}

endpoint_string! {
    /// The endpoint string of a client, known to be understood: the type of an option of a command line.
    ClientString: ClientEndpoint, destination -> Destination
}

endpoint_string! {
    /// The endpoint string of a datagram port, known to be understood: the type of an option of a command line.
    DatagramString: DatagramEndpoint, bind -> Bind
}
