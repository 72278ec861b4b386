//! A reactor on this system's driver, and programs made of one.

#![cfg(feature = "mio")]

use std::io::{self, Write};
use std::process::ExitCode;

use ropewalk_core::deferred::Answer;
use ropewalk_core::endpoint::ServerEndpoint;
use ropewalk_core::{Exit, Factory, Failure, Handle, Reactor};
use ropewalk_mio::MioDriver;

/// A reactor on this system's driver, which stops in order at SIGINT and SIGTERM.
///
/// # Errors
///
/// The kernel gives no event queue: there are too many descriptors.
pub fn reactor() -> io::Result<Reactor> {
    Ok(Reactor::new(MioDriver::new()?).catching_signals())
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
    let outcome = reactor().map_err(Failure::from).and_then(|mut reactor| reactor.run_main(main));
    exit_code(outcome.map(drop))
}

/// Serves a factory at endpoints until SIGINT or SIGTERM. Prints `listening on …` with the real port, once per endpoint, as
/// soon as peers may connect.
///
/// # Errors
///
/// An endpoint cannot be had, or the driver cannot go on.
pub fn serve<E: ServerEndpoint>(
    endpoints: impl IntoIterator<Item = E>,
    mut factory: impl FnMut(&Handle) -> Box<dyn Factory>,
) -> Result<(), Failure> {
    let mut reactor = reactor()?;
    for endpoint in endpoints {
        let factory = factory(&reactor);
        let port = reactor.listen(endpoint, factory)?;
        announce(port.host())?;
    }
    Ok(reactor.run()?)
}

/// Tells on stdout where peers may connect, at once also when stdout is a pipe.
fn announce(address: &ropewalk_core::Address) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    stdout.flush()
}

fn exit_code(outcome: Result<(), Failure>) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    match failure.downcast_ref::<Exit>() {
        Some(Exit(status)) => ExitCode::from(*status),
        None => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
