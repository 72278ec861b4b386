//! What the command says of itself: its drivers, completions for shells, its manual pages.

use std::io::{self, Write};

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use ropewalk::Failure;

use crate::application::{Check, Run};

/// The subcommands that every command has.
#[derive(Subcommand)]
pub(crate) enum About {
    /// Serves what a file says
    #[command(display_order = 800)]
    Run(Run),
    /// Says whether a file is right, and all that is wrong with it; opens nothing
    #[command(display_order = 800)]
    Check(Check),
    /// Lists the drivers that a reactor of this build can run on
    #[command(display_order = 900)]
    Reactors,
    /// Prints what makes a shell complete this command's words
    #[command(display_order = 900)]
    Completions(Completions),
    /// Prints a manual page
    #[command(display_order = 900)]
    Man(Manual),
}

/// Prints what makes a shell complete this command's words
#[derive(Parser)]
#[command(after_help = COMPLETIONS_HELP)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  ropewalk completions bash >~/.local/share/bash-completion/completions/ropewalk
  ropewalk completions fish >~/.config/fish/completions/ropewalk.fish
  ropewalk completions zsh >\"${fpath[1]}/_ropewalk\"";

/// Prints a manual page
#[derive(Parser)]
#[command(after_help = MANUAL_HELP)]
pub(crate) struct Manual {
    /// Of which subcommand, and of which of its own; of the whole command if none is named
    #[arg(value_name = "COMMAND")]
    subcommands: Vec<String>,
}

const MANUAL_HELP: &str = "\
Examples:
  ropewalk man | man -l -
  ropewalk man chat >ropewalk-chat.1
  ropewalk man websocket connect | man -l -";

impl About {
    pub(crate) fn add_to(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }
}

impl Completions {
    pub(crate) fn print(&self, command: &clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        let name = command.get_name().to_owned();
        clap_complete::generate(self.shell, &mut command.clone(), name, &mut script);
        print(&script)
    }
}

impl Manual {
    pub(crate) fn print(&self, command: &clap::Command) -> Result<(), Failure> {
        // A page is long help throughout.
        let mut command = command
            .clone()
            .mut_args(|argument| argument.hide_short_help(false));
        command.build();
        let mut page = command;
        for name in &self.subcommands {
            page = page_of(&page, name)?;
        }
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        print(&text)
    }
}

fn page_of(command: &clap::Command, name: &str) -> Result<clap::Command, Failure> {
    if let Some(found) = command.find_subcommand(name) {
        let title = format!("{}-{name}", command.get_name());
        return Ok(found.clone().name(title));
    }
    let known: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    Err(Failure::message(format!(
        "there is no subcommand {name:?}; there are: {}",
        known.join(", ")
    )))
}

pub(crate) fn list_reactors() -> Result<(), Failure> {
    let native = ropewalk::reactor()?.driver_name();
    ropewalk::say(format_args!(
        "{native:<12} the default: sockets, timers and signals of this system"
    ))?;
    ropewalk::say(
        "sim          a simulated network with virtual time, for tests: the same seed, the same run",
    )?;
    Ok(())
}

fn print(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text)?;
    Ok(stdout.flush()?)
}
