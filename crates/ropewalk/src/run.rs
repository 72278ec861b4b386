//! A reactor on this system's driver, and programs made of one.

#![cfg(feature = "mio")]

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use ropewalk_core::deferred::Answer;
use ropewalk_core::driver::Driver;
use ropewalk_core::endpoint::ServerEndpoint;
use ropewalk_core::{
    Exit, Factory, Failure, Grace, Handle, Limits, ListeningPort, Reactor, SharedFactory,
};
use ropewalk_mio::MioDriver;

/// A reactor on this system's driver, which stops in order at SIGINT and SIGTERM and knows all [types of
/// endpoints](crate::manual::endpoints). One that comes before it runs is kept
/// until then, so that whoever was told where a server listens may stop it at once.
///
/// # Errors
///
/// The kernel gives no event queue: there are too many descriptors.
pub fn reactor() -> io::Result<Reactor> {
    crate::register_endpoints();
    let mut driver = MioDriver::new()?;
    driver.catch_signals()?;
    Ok(Reactor::new(driver).catching_signals())
}

/// Runs a main function on a reactor until it has its result: status 0, or the failure as one line on stderr and status 1,
/// or the status of an [`Exit`] (R31).
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     ropewalk::react(|reactor| async move {
///         let addresses = reactor.resolve("localhost").await?;
///         println!("{addresses:?}");
///         Ok(())
///     })
/// }
/// ```
pub fn react<F>(main: impl FnOnce(Handle) -> F + 'static) -> ExitCode
where
    F: Future<Output: Answer> + 'static,
{
    let outcome = reactor()
        .map_err(Failure::from)
        .and_then(|mut reactor| reactor.run_main(main));
    exit_code(outcome.map(drop))
}

/// Serves one factory at endpoints until SIGINT or SIGTERM. Prints `listening on …` with the real port, once per endpoint,
/// as soon as peers may connect. It stops gracefully, with the default [`Grace`]: what is in flight is answered.
///
/// # Errors
///
/// An endpoint cannot be had, and then none is served; or the driver cannot go on.
pub fn serve<E: ServerEndpoint>(
    endpoints: impl IntoIterator<Item = E>,
    factory: impl Factory,
) -> Result<(), Failure> {
    let mut reactor = reactor()?;
    reactor.set_grace(Some(Grace::default()));
    listen(&mut reactor, endpoints, factory)?;
    Ok(reactor.run()?)
}

/// Listens at endpoints with one factory, and then [`announce`]s each; for programs that do more than [`serve`].
///
/// # Errors
///
/// An endpoint cannot be had, and then none is announced; or nobody reads stdout any more.
pub fn listen<E: ServerEndpoint>(
    reactor: &mut Reactor,
    endpoints: impl IntoIterator<Item = E>,
    factory: impl Factory,
) -> Result<Vec<ListeningPort>, Failure> {
    listen_with(reactor, endpoints, Limits::default(), factory)
}

/// [`listen`] with other limits for each connection.
///
/// # Errors
///
/// As [`listen`].
pub fn listen_with<E: ServerEndpoint>(
    reactor: &mut Reactor,
    endpoints: impl IntoIterator<Item = E>,
    limits: Limits,
    factory: impl Factory,
) -> Result<Vec<ListeningPort>, Failure> {
    let factory = SharedFactory::new(factory);
    let listen = |endpoint| reactor.listen_with(endpoint, limits.clone(), factory.clone());
    let ports: Vec<ListeningPort> = endpoints
        .into_iter()
        .map(listen)
        .collect::<Result<_, _>>()?;
    ports.iter().try_for_each(announce)?;
    Ok(ports)
}

/// Prints `listening on …` on stdout: where peers may connect, with the real port.
///
/// # Errors
///
/// Nobody reads stdout any more.
pub fn announce(port: &ListeningPort) -> io::Result<()> {
    say(format_args!("listening on {}", port.endpoint()))
}

/// Prints a line on stdout at once, also when stdout is a pipe.
///
/// # Errors
///
/// Nobody reads stdout any more: where `println!` panics.
pub fn say(line: impl Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let said = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
    said.map_err(|error| io::Error::new(error.kind(), format!("stdout cannot be written: {error}")))
}

/// Prints on stderr; where nobody listens, there is nobody to tell of that, where `eprintln!` panics.
pub(crate) fn complain(text: impl Display) {
    let text = text.to_string();
    let _nobody_listens = writeln!(io::stderr(), "{}", text.trim_end());
}

/// The exit status of a program that ends so: 0; or 1 after the failure as one line on stderr; or that of an [`Exit`].
#[must_use]
pub fn exit_code(outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    match failure.downcast_ref::<Exit>() {
        Some(Exit(status)) => ExitCode::from(*status),
        None => {
            complain(failure);
            ExitCode::FAILURE
        }
    }
}

/// The README's code, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
