//! What the endpoint type `process` says: a child whose standard input and output are the connection.

use super::description::Description;
use super::destination::{Destination, Route};
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::listening::{Listening, Open, Source};
use crate::address::Address;
use crate::driver::{ConnId, Driver};
use crate::process::{ChildDescriptor, Spawn, capable};

/// Where the child's standard error goes, and where it runs.
const OPTIONS: &[(&str, &str)] = &[
    ("dir=PATH", "the working directory of the child"),
    (
        "stderr=WHERE",
        "inherit (the default: ours) or null (nowhere)",
    ),
];
const FORM: &str = "process:PROGRAM:ARGUMENT...";

pub(super) const KIND: Kind = Kind::new(
    "process",
    "a child process; its standard input and output are the connection",
)
.for_servers(Role {
    form: FORM,
    options: OPTIONS,
    parse: server,
})
.for_clients(Role {
    form: FORM,
    options: OPTIONS,
    parse: client,
});

fn server(mut description: Description) -> Result<Listening, EndpointError> {
    let text = description.to_string();
    let open = take_open(&mut description)?;
    description.finish()?;
    Ok(Listening::new(Source::Once(open), text))
}

fn client(mut description: Description) -> Result<Destination, EndpointError> {
    let text = description.to_string();
    let open = take_open(&mut description)?;
    description.finish()?;
    Ok(Destination::new(Route::Open(open), text))
}

/// A child for each connection.
fn take_open(description: &mut Description) -> Result<Open<ConnId>, EndpointError> {
    let program: String = description.positional("program")?;
    if program.is_empty() {
        return Err(description.wrong("program", "a path, or a name to be found in PATH"));
    }
    let mut spawn = Spawn::new(program)
        .map(0, ChildDescriptor::Stream)
        .map(1, ChildDescriptor::Stream);
    while description.positionals_left() > 0 {
        spawn = spawn.arg(description.positional::<String>("argument")?);
    }
    if let Some(directory) = description.option::<String>("dir")? {
        spawn = spawn.current_dir(directory);
    }
    let stderr: Option<String> = description.option("stderr")?;
    let spawn = match stderr.as_deref() {
        None | Some("inherit") => spawn.inherit(2),
        Some("null") => spawn.null(2),
        Some(_) => return Err(description.wrong("stderr", "inherit or null")),
    };
    Ok(Open::new(move |driver| start(driver, &spawn)))
}

fn start(driver: &mut dyn Driver, spawn: &Spawn) -> std::io::Result<(ConnId, Address)> {
    let spawned = capable(driver)?.spawn(spawn)?;
    match spawned.pipes.first() {
        Some(&(_, conn)) => Ok((conn, Address::Process(spawned.pid))),
        None => Err(std::io::Error::other("the driver gave the child no stream")),
    }
}
