//! `forward`: connects everybody who comes with somebody else.

use clap::Parser;
use ropewalk::endpoint::{ClientEndpoint, ServerEndpoint};
use ropewalk::protocols::PortForwarder;
use ropewalk::{Failure, Limits};

use crate::setup::Setup;

/// Connects everybody who comes with another endpoint
#[derive(Parser)]
#[command(
    name = "forward",
    after_help = "\
Examples:
  ropewalk forward tcp:127.0.0.1:8080 tcp:intranet:80
  ropewalk forward tcp:0.0.0.0:8080 tcp:[::]:8080 --to tcp:intranet:80"
)]
pub(crate) struct Forward {
    /// Where to listen; without --to, the last one is where to connect to
    #[arg(value_name = "ENDPOINT", required = true)]
    endpoints: Vec<String>,
    /// Where to connect to
    #[arg(long, value_name = "ENDPOINT")]
    to: Option<String>,
}

pub(crate) fn forward(options: Forward, setup: &mut Setup) -> Result<(), Failure> {
    let (mut from, mut to) = (options.endpoints, options.to);
    if to.is_none() && from.len() > 1 {
        to = from.pop();
    }
    // Before anything else is said of them: each is an endpoint.
    from.iter()
        .try_for_each(|endpoint| endpoint.listening().map(drop))?;
    let to = to.ok_or_else(missing)?;
    // Whether it may read on while it cannot send is for the far end to say.
    let limits = Limits {
        pause_reading_when_full: false,
        ..Limits::default()
    };
    let to = to.destination()?;
    setup.check(&to)?;
    setup.listen_with(from, limits, PortForwarder::new(to)?)?;
    Ok(())
}

fn missing() -> Failure {
    Failure::message(
        "forward needs two endpoints, where to listen and where to connect to, as in: \
         forward tcp:127.0.0.1:8080 tcp:intranet:80",
    )
}
