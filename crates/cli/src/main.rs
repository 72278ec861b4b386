//! The `ropewalk` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ropewalk_cli::command().run()
}
