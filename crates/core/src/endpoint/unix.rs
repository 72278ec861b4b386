//! What the endpoint type `unix` says: sockets in the file system, or of an abstract name.

use super::description::Description;
use super::destination::Destination;
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::listening::Listening;
use super::{TcpClient, TcpServer};
use crate::address::{Address, UnixAddress};
use crate::driver::{Listen, StreamOptions};

pub(super) const KIND: Kind = Kind::new("unix", "a UNIX socket; @NAME is an abstract one")
    .for_servers(Role {
        form: "unix:PATH",
        options: &[TcpServer::BACKLOG],
        parse: server,
    })
    .for_clients(Role {
        form: "unix:PATH",
        options: &[TcpClient::TIMEOUT],
        parse: client,
    });

fn server(mut description: Description) -> Result<Listening, EndpointError> {
    let address = take_address(&mut description)?;
    let listen = Listen {
        address: Address::Unix(address),
        backlog: TcpServer::take_backlog(&mut description)?,
        reuse_port: false,
        options: StreamOptions::default(),
    };
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
fn take_address(description: &mut Description) -> Result<UnixAddress, EndpointError> {
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
