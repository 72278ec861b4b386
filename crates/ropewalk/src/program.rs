//! What small programs share: options in, one clear line of error out.
//!
//! For tools, examples and servers of one page: options are a struct that derives [`clap::Parser`], whatever goes wrong is
//! one line on stderr and status 1, and the log goes to stderr. Not for programs that have their own idea of either.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, Parser};
use ropewalk_core::Failure;

/// Reads the options, sets up the log, runs the function, and turns its outcome into an exit status: 0, or 1 after one line
/// on stderr, or that of an [`Exit`](crate::Exit).
///
/// A wrong option is one line as well, which quotes it and shows the right usage. `--help` and `--version` go to stdout.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// /// Says good morning and leaves.
/// #[derive(clap::Parser)]
/// struct Options {
///     /// To whom
///     name: String,
/// }
///
/// fn main() -> ExitCode {
///     ropewalk::program::run(|options: Options| {
///         Ok(ropewalk::say(format_args!("good morning, {}", options.name))?)
///     })
/// }
/// ```
pub fn run<O: Parser, T>(main: impl FnOnce(O) -> Result<T, Failure>) -> ExitCode {
    crate::register_endpoints();
    match read(std::env::args_os()) {
        Ok(options) => {
            crate::log_to_stderr();
            crate::run::exit_code(main(options).map(drop))
        }
        Err(error) => explain(&error),
    }
}

/// Says what clap has to say, and gives the exit status: help and version on stdout and 0, or what was wrong as one line on
/// stderr and 1.
#[must_use]
pub fn explain(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        crate::run::complain(error);
        return ExitCode::FAILURE;
    }
    if error.use_stderr() {
        crate::run::complain(one_line(error));
        return ExitCode::FAILURE;
    }
    let _whoever_asked_has_read_enough = error.print();
    ExitCode::SUCCESS
}

/// For options that are a time: `#[arg(value_parser = program::seconds)]`.
///
/// # Errors
///
/// The text is no number of seconds that a timer can wait.
pub fn seconds(text: &str) -> Result<Duration, &'static str> {
    let number: Option<f64> = text.parse().ok();
    number
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or("must be a number of seconds, such as 5 or 0.5")
}

/// For options that are an amount of bytes: `#[arg(value_parser = program::bytes)]`.
///
/// # Errors
///
/// The text is no whole number from 1 on.
pub fn bytes(text: &str) -> Result<usize, &'static str> {
    let number: Option<usize> = text.parse().ok();
    number
        .filter(|number| *number > 0)
        .ok_or("must be a number of bytes, such as 4096")
}

fn read<O: Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<O, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let path = arguments.first().map(Path::new);
    let name = path
        .and_then(Path::file_stem)
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let command = with_usage(O::command().bin_name(name));
    O::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Spells every option out in the usage, so that one line of error says what there is.
fn with_usage(command: Command) -> Command {
    let mut built = command.clone();
    built.build();
    let name = built
        .get_bin_name()
        .unwrap_or_else(|| built.get_name())
        .to_owned();
    let mut words: Vec<String> = built.get_arguments().filter_map(shown).collect();
    let subcommands: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
    if !subcommands.is_empty() {
        words.push(subcommands.join("|"));
    }
    let usage = format!("{name} {}", words.join(" "));
    command
        .override_usage(usage.trim_end().to_owned())
        .mut_subcommands(|inner| {
            let full = format!("{name} {}", inner.get_name());
            with_usage(inner.bin_name(full))
        })
}

fn shown(argument: &Arg) -> Option<String> {
    match argument.get_action() {
        ArgAction::Help | ArgAction::Version => None,
        _ if argument.is_positional() || argument.is_required_set() => Some(argument.to_string()),
        _ => Some(format!("[{argument}]")),
    }
}

/// What clap complains of, on one line: the error's first paragraph, any similar name, and the usage; the rest of clap's
/// advice is for those who ask for `--help`.
#[must_use]
pub fn one_line(error: &clap::Error) -> String {
    let mut text = error.to_string();
    if error.kind() == ErrorKind::InvalidUtf8 {
        text = not_text(std::env::args_os()) + &text[text.find("\n\n").unwrap_or(text.len())..];
    }
    let paragraphs = text.split("\n\n").map(joined).enumerate();
    let told = paragraphs.filter_map(|(number, part)| {
        if let Some(usage) = part.strip_prefix("Usage: ") {
            return Some(format!("usage: {usage}"));
        }
        let is_wanted = number == 0 || part.contains("similar");
        is_wanted.then(|| part.trim_start_matches("error: ").to_owned())
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Which arguments are no text, where clap says only that there are some.
fn not_text(arguments: impl Iterator<Item = OsString>) -> String {
    let wrong = arguments.filter(|argument| argument.to_str().is_none());
    let quoted: Vec<String> = wrong.map(|argument| format!("{argument:?}")).collect();
    format!("{}: not UTF-8, as it must be here", quoted.join(", "))
}

/// The words of a paragraph on one line, with nothing in it that a terminal would obey.
fn joined(paragraph: &str) -> String {
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ").replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "timer")]
    struct Options {
        #[arg(long, default_value = "5", value_parser = seconds, allow_negative_numbers = true)]
        after: Duration,
        endpoints: Vec<String>,
    }

    fn complaint(arguments: &[&str]) -> String {
        let arguments = ["timer"].iter().chain(arguments).map(OsString::from);
        one_line(&read::<Options>(arguments).unwrap_err())
    }

    #[test]
    fn options_are_read() {
        let arguments = ["timer", "--after", "0.25", "a", "b"].map(OsString::from);
        let options: Options = read(arguments).unwrap();
        assert_eq!(options.after, Duration::from_millis(250));
        assert_eq!(options.endpoints, ["a", "b"]);
    }

    #[test]
    fn a_wrong_option_is_one_line_that_quotes_it_and_says_what_there_is() {
        let usage = "usage: timer [--after <AFTER>] [ENDPOINTS]...";
        let unknown = complaint(&["--nonsense"]);
        assert!(
            unknown.contains("'--nonsense'") && unknown.ends_with(usage),
            "{unknown}"
        );
        let similar = complaint(&["--aftre", "1"]);
        assert!(
            similar.contains("'--aftre'") && similar.contains("'--after'"),
            "{similar}"
        );
        for wrong in ["soon", "-1", "NaN", "1e300", "a\n\u{1b}[31mb"] {
            let line = complaint(&["--after", wrong]);
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(
                line.contains("such as 5 or 0.5") || wrong.contains('\n'),
                "{line}"
            );
        }
    }

    #[test]
    fn arguments_that_are_no_text_are_quoted_by_their_bytes() {
        use std::os::unix::ffi::OsStringExt;
        let arguments = ["good".into(), OsString::from_vec(b"tcp:\xff\n".into())];
        let told = not_text(arguments.into_iter());
        assert_eq!(told, "\"tcp:\\xFF\\n\": not UTF-8, as it must be here");
    }

    #[test]
    fn an_amount_of_bytes_is_at_least_one() {
        assert_eq!(bytes("4096"), Ok(4096));
        for wrong in ["0", "-1", "", "none", "99999999999999999999999"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
