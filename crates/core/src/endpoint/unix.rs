//! What the endpoint type `unix` says: sockets in the file system, or of an abstract name.

use super::description::Description;
use super::destination::Destination;
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::listening::Listening;
use super::value::Value;
use super::{TcpClient, TcpServer};
use crate::address::{Address, UnixAddress};
use crate::driver::{Listen, UnixOptions};

pub(super) const KIND: Kind = Kind::new("unix", "a UNIX socket; @NAME is an abstract one")
    .for_servers(Role {
        form: "unix:PATH",
        options: &[MODE, LOCK, TcpServer::BACKLOG],
        parse: server,
    })
    .for_clients(Role {
        form: "unix:PATH",
        options: &[TcpClient::TIMEOUT],
        parse: client,
    });

pub(super) const MODE: (&str, &str) = (
    "mode=OCTAL",
    "the permission bits of the path: who may connect or send (666, everybody)",
);
pub(super) const LOCK: (&str, &str) = (
    "lock=yes",
    "hold PATH.lock, and take over the path of a server that died",
);

fn server(mut description: Description) -> Result<Listening, EndpointError> {
    let address = take_address(&mut description)?;
    let unix = take_options(&mut description, &address)?;
    let mut listen = Listen::new(Address::Unix(address));
    listen.unix = unix;
    listen.backlog = TcpServer::take_backlog(&mut description)?;
    description.finish()?;
    Ok(listen.into())
}

fn client(mut description: Description) -> Result<Destination, EndpointError> {
    let path: String = description.clone().positional("path")?;
    let address = take_address(&mut description)?;
    let timeout = TcpClient::take_timeout(&mut description)?;
    description.finish()?;
    // As it was given: an address shows the odd bytes of a name escaped.
    let text = Description::new("unix").with_argument(&path);
    Ok(Destination::from(address).within(timeout).with_text(text))
}

/// The socket; that its name fits into an address is for the system to say.
pub(super) fn take_address(description: &mut Description) -> Result<UnixAddress, EndpointError> {
    let path: String = description.positional("path")?;
    let address = UnixAddress::from(path.as_str());
    let is_name = match &address {
        UnixAddress::Path(_) => !path.contains('\0'),
        UnixAddress::Abstract(name) => !name.is_empty(),
        UnixAddress::Unnamed => false,
    };
    if is_name {
        return Ok(address);
    }
    Err(description.wrong("path", "the path of a socket, or @ and a name"))
}

/// The options `mode` and `lock`, as a server and a datagram socket have them.
pub(super) fn take_options(
    description: &mut Description,
    address: &UnixAddress,
) -> Result<UnixOptions, EndpointError> {
    let mut options = UnixOptions::USUAL;
    if let Some(Mode(mode)) = description.option("mode")? {
        options.mode = mode;
    }
    options.lock = description.option("lock")?.unwrap_or(false);
    if options.lock && address.as_path().is_none() {
        return Err(description.wrong(
            "lock",
            "no: a name that begins with @ is free when its server is gone",
        ));
    }
    Ok(options)
}

/// Permission bits, in octal as chmod(1) takes them.
struct Mode(u32);

impl Value for Mode {
    const MEANING: &'static str = "permission bits in octal, such as 660";

    fn from_text(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|_| digits)?;
        (mode <= 0o777).then_some(Self(mode))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ServerEndpoint;
    use super::*;

    fn listen(text: &str) -> Result<Listen, String> {
        let listening = text.listening().map_err(|error| error.to_string())?;
        Ok(listening.listen().expect("an address").clone())
    }

    #[test]
    fn a_path_has_a_mode_and_a_lock() {
        let usual = listen("unix:/run/chat").unwrap();
        let (mode, lock) = (0o666, false);
        assert_eq!(usual.unix, UnixOptions { mode, lock });
        let other = listen("unix:/run/chat:mode=0660:lock=yes:backlog=7").unwrap();
        let (mode, lock) = (0o660, true);
        assert_eq!((other.unix, other.backlog), (UnixOptions { mode, lock }, 7));
        assert_eq!(other.address, Address::Unix(UnixAddress::path("/run/chat")));
    }

    #[test]
    fn what_is_no_mode_is_refused_in_words() {
        for mode in ["rw", "0o660", "+660", "1777", "888", ""] {
            let error = listen(&format!("unix:/run/chat:mode={mode}")).unwrap_err();
            assert!(error.contains("octal, such as 660"), "{error}");
        }
        let error = listen("unix:@chat:lock=yes").unwrap_err();
        assert!(error.contains("free when its server is gone"), "{error}");
    }
}
