//! A subcommand that serves.

use std::marker::PhantomData;

use clap::{ArgMatches, Parser};
use ropewalk::Failure;

use crate::setup::Setup;

/// A subcommand that serves until the process is stopped: its name, its options, and how it starts.
///
/// Where its options derive [`clap::Parser`], [`Command::serving`](crate::Command::serving) makes one of a function.
#[doc(alias = "IServiceMaker")]
pub trait Plugin {
    /// The name, the help and the options.
    fn command(&self) -> clap::Command;

    /// Whether it does something and ends ([`Setup::run`]) instead of serving: its log begins with warnings then, unless it is told
    /// otherwise, for somebody looks at what it says.
    fn is_tool(&self, options: &ArgMatches) -> bool {
        let _ = options;
        false
    }

    /// Adds the services that these options ask for, and opens nothing yet.
    ///
    /// # Errors
    ///
    /// The options cannot be followed. It is told on stderr, in one line, and the exit status is 1.
    fn start(&self, options: &ArgMatches, setup: &mut Setup) -> Result<(), Failure>;
}

/// A function as a plugin.
pub(crate) struct Serving<O, F> {
    start: F,
    options: PhantomData<fn() -> O>,
}

impl<O, F> Serving<O, F>
where
    O: Parser,
    F: Fn(O, &mut Setup) -> Result<(), Failure>,
{
    pub(crate) fn new(start: F) -> Self {
        Self {
            start,
            options: PhantomData,
        }
    }
}

impl<O, F> Plugin for Serving<O, F>
where
    O: Parser,
    F: Fn(O, &mut Setup) -> Result<(), Failure>,
{
    fn command(&self) -> clap::Command {
        O::command()
    }

    fn start(&self, options: &ArgMatches, setup: &mut Setup) -> Result<(), Failure> {
        (self.start)(O::from_arg_matches(options)?, setup)
    }
}
