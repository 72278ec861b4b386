//! `echo`, `discard`, `chargen`, `daytime`: the small services of the early internet.

use clap::Parser;
use ropewalk::Failure;
use ropewalk::protocols::wire;

use super::daytime;
use crate::setup::Setup;

/// Sends back what it gets (RFC 862)
#[derive(Parser)]
#[command(
    name = "echo",
    after_help = "\
Examples:
  ropewalk echo                            on port 8000; try: nc 127.0.0.1 8000
  ropewalk echo tcp:0.0.0.0:7 tcp:[::]:7   for other machines too, on IPv4 and IPv6"
)]
pub(crate) struct Echo {
    /// Where to listen
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8000")]
    endpoints: Vec<String>,
}

/// Throws away what it gets (RFC 863)
#[derive(Parser)]
#[command(
    name = "discard",
    after_help = "\
Example:
  ropewalk discard tcp:127.0.0.1:8009    try: nc 127.0.0.1 8009 </dev/zero"
)]
pub(crate) struct Discard {
    /// Where to listen
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8009")]
    endpoints: Vec<String>,
}

/// Sends lines of characters as fast as they are read (RFC 864)
#[derive(Parser)]
#[command(
    name = "chargen",
    after_help = "\
Example:
  ropewalk chargen tcp:127.0.0.1:8019    try: nc 127.0.0.1 8019 | head"
)]
pub(crate) struct Chargen {
    /// Where to listen
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8019")]
    endpoints: Vec<String>,
}

/// Sends the date and time, in UTC, and hangs up (RFC 867)
#[derive(Parser)]
#[command(
    name = "daytime",
    after_help = "\
Example:
  ropewalk daytime tcp:127.0.0.1:8013    try: nc 127.0.0.1 8013"
)]
pub(crate) struct Daytime {
    /// Where to listen
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8013")]
    endpoints: Vec<String>,
}

impl Echo {
    pub(crate) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        setup.listen(self.endpoints, || wire::Echo).map(drop)
    }
}

impl Discard {
    pub(crate) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        setup.listen(self.endpoints, || wire::Discard).map(drop)
    }
}

impl Chargen {
    pub(crate) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        setup.listen(self.endpoints, || wire::Chargen).map(drop)
    }
}

impl Daytime {
    pub(crate) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        let factory = || wire::Qotd::new(daytime::line(std::time::SystemTime::now()));
        setup.listen(self.endpoints, factory).map(drop)
    }
}
