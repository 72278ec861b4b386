//! What the endpoint type `unix-datagram` says.

use std::fmt;
use std::str::FromStr;

use super::datagram_endpoint::DatagramEndpoint;
use super::description::Description;
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::udp::{LIMIT, take_limit};
use super::unix::{LOCK, MODE, take_address, take_options};
use crate::address::{Address, UnixAddress};
use crate::driver::{Bind, UnixOptions};

const NAME: &str = "unix-datagram";
/// What Go calls it.
const ALIAS: &str = "unixgram";

pub(super) const KIND: Kind = kind(
    NAME,
    FORM,
    "datagrams on a UNIX socket; @NAME is an abstract one",
);
pub(super) const ALIAS_KIND: Kind = kind(ALIAS, ALIAS_FORM, "the same as unix-datagram");

const FORM: &str = "unix-datagram:PATH";
const ALIAS_FORM: &str = "unixgram:PATH";

const fn kind(name: &'static str, form: &'static str, about: &'static str) -> Kind {
    Kind::new(name, about).for_datagrams(Role {
        form,
        options: &[MODE, LOCK, LIMIT],
        parse: |description| UnixDatagramServer::from_description(description)?.bind(),
    })
}

/// Where a UNIX datagram socket is opened: `unix-datagram:PATH`; `@NAME` is an abstract name (Linux).
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `mode=660` | the permission bits of the path, in octal | 666: everybody on this machine may send |
/// | `lock=yes` | hold `PATH.lock`, and take over the path of a server that died | no |
/// | `limit=BYTES` | the longest datagram that is received whole, up to 65536; longer ones are cut | 8192 |
///
/// ```
/// use ropewalk_core::endpoint::UnixDatagramServer;
///
/// let server: UnixDatagramServer = "unix-datagram:/run/log:mode=660".parse()?;
/// assert_eq!(server.unix.mode, 0o660);
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnixDatagramServer {
    /// The name of the socket.
    pub address: UnixAddress,
    /// How its path is made.
    pub unix: UnixOptions,
    /// The longest datagram that is received whole, in bytes.
    pub limit_bytes: usize,
}

impl UnixDatagramServer {
    /// A socket of this name, with the default options.
    #[must_use]
    pub const fn new(address: UnixAddress) -> Self {
        Self {
            address,
            unix: UnixOptions::USUAL,
            limit_bytes: Bind::DEFAULT_LIMIT_BYTES,
        }
    }

    /// Takes the arguments and options of a UNIX datagram socket from a description.
    ///
    /// # Errors
    ///
    /// When its type is neither `unix-datagram` nor `unixgram`, or its arguments and options are not those of one.
    pub fn from_description(mut description: Description) -> Result<Self, EndpointError> {
        if ![NAME, ALIAS].contains(&description.kind()) {
            return Err(description.unknown_type(&[NAME]));
        }
        let is_alias = description.kind() == ALIAS;
        description.set_form(if is_alias { ALIAS_FORM } else { FORM });
        let mut server = Self::new(take_address(&mut description)?);
        server.unix = take_options(&mut description, &server.address)?;
        server.limit_bytes = take_limit(&mut description)?;
        description.finish()?;
        Ok(server)
    }
}

impl fmt::Display for UnixDatagramServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = Description::new(NAME).with_argument(&self.address.to_string());
        if self.unix.mode != UnixOptions::USUAL.mode {
            description = description.with_option("mode", &format!("{:03o}", self.unix.mode));
        }
        if self.unix.lock {
            description = description.with_option("lock", "yes");
        }
        if self.limit_bytes != Bind::DEFAULT_LIMIT_BYTES {
            description = description.with_option("limit", &self.limit_bytes.to_string());
        }
        description.fmt(f)
    }
}

impl FromStr for UnixDatagramServer {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::from_description(Description::parse(text)?)
    }
}

impl DatagramEndpoint for UnixDatagramServer {
    fn bind(&self) -> Result<Bind, EndpointError> {
        Ok(Bind {
            unix: self.unix,
            limit_bytes: self.limit_bytes,
            ..Bind::new(Address::Unix(self.address.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unix_datagram_endpoint_says_where_and_how() {
        let bind = "unixgram:@log:limit=100".bind().unwrap();
        assert_eq!(
            bind.address,
            Address::Unix(UnixAddress::abstract_name("log"))
        );
        assert_eq!((bind.limit_bytes, bind.unix.mode), (100, 0o666));
        let text = "unix-datagram:/run/a\\:b:mode=060:lock=yes:limit=9000";
        let server: UnixDatagramServer = text.parse().unwrap();
        assert_eq!(server.to_string(), text);
        for wrong in [
            "unix-datagram:",
            "unix-datagram:/x:mode=888",
            "unix-datagram:/x:mode=9999",
            "unix-datagram:@",
            "unix-datagram:@x:lock=yes",
        ] {
            assert!(wrong.parse::<UnixDatagramServer>().is_err(), "{wrong}");
        }
    }
}
