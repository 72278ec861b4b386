//! The endpoint types for what is open already: `fd`, `systemd` and `stdio`.

use super::description::Description;
use super::destination::Destination;
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::listening::Listening;
use crate::descriptor::Inherited;

pub(super) const FD: Kind = Kind::new("fd", "a socket that the parent left open")
    .for_servers(Role {
        form: "fd:NUMBER",
        options: &[],
        parse: |description| number(description).map(Listening::inherited),
    })
    .for_clients(Role {
        form: "fd:NUMBER",
        options: &[],
        parse: |description| number(description).map(Destination::inherited),
    });

pub(super) const SYSTEMD: Kind = Kind::new("systemd", "a socket that systemd listens at for us")
    .for_servers(Role {
        form: "systemd:NAME or systemd:index=N",
        options: &[("index=N", "the so many-th of the unit's sockets, from 0")],
        parse: |description| unit(description).map(Listening::inherited),
    });

pub(super) const STDIO: Kind = Kind::new("stdio", "standard input and output")
    .for_servers(Role {
        form: "stdio:",
        options: &[],
        parse: |description| nothing(description).map(|()| Listening::standard_io()),
    })
    .for_clients(Role {
        form: "stdio:",
        options: &[],
        parse: |description| nothing(description).map(|()| Destination::standard_io()),
    });

fn number(mut description: Description) -> Result<Inherited, EndpointError> {
    let number = description.positional("number")?;
    description.finish()?;
    Ok(Inherited::Number(number))
}

/// By name or by index, not by both (R114).
fn unit(mut description: Description) -> Result<Inherited, EndpointError> {
    let by_index: Option<u32> = description.option("index")?;
    let has_name = description.positionals_left() > 0 || description.has_option("name");
    let which = match by_index {
        Some(index) if !has_name => Inherited::Index(index as usize),
        Some(_) => {
            return Err(description.wrong("index", "alone: an index or a name, not both"));
        }
        None => Inherited::Named(description.positional("name")?),
    };
    if which == Inherited::Named(String::new()) {
        return Err(description.wrong("name", "the name of a socket of the unit, or index=0"));
    }
    description.finish()?;
    Ok(which)
}

/// `stdio:` may be followed by nothing.
fn nothing(mut description: Description) -> Result<(), EndpointError> {
    if description.positionals_left() == 1 {
        let rest: String = description.positional("nothing")?;
        if !rest.is_empty() {
            return Err(description.superfluous("nothing"));
        }
    }
    description.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{ClientEndpoint, ServerEndpoint};

    #[test]
    fn what_is_open_already_has_endpoint_strings() {
        for text in [
            "fd:3",
            "systemd:web",
            "systemd:name=web",
            "systemd:index=0",
            "stdio:",
        ] {
            let listening = text.listening().unwrap();
            assert!(listening.listen().is_none(), "{text} is no address");
        }
        for text in ["fd:3", "stdio:"] {
            assert!(text.destination().is_ok(), "{text}");
        }
    }

    #[test]
    fn r114_index_and_name_exclude_each_other() {
        let error = "systemd:web:index=0".listening().unwrap_err().to_string();
        assert!(error.contains("not both"), "{error}");
        for wrong in [
            "fd:",
            "fd:x",
            "fd:-1",
            "systemd:",
            "systemd:index=x",
            "stdio:x",
        ] {
            assert!(wrong.listening().is_err(), "{wrong}");
        }
    }
}
