//! What can be said of the process, on the command line and in a file.

use std::path::PathBuf;
use std::str::FromStr;

/// How the process runs.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Process")]
pub struct DaemonOptions {
    /// Run in the background: return once peers can connect, or with status 1 and the reason why they cannot
    #[arg(long)]
    #[arg(global = true, hide_short_help = true)]
    pub daemon: bool,
    /// Write the process's number to this file, and refuse to run if the file is another's that runs
    #[arg(long, visible_alias = "pid-file", value_name = "PATH")]
    #[arg(global = true, hide_short_help = true)]
    pub pidfile: Option<PathBuf>,
    /// Work in this folder: relative paths begin here
    #[arg(long, visible_alias = "run-dir", value_name = "FOLDER")]
    #[arg(global = true, hide_short_help = true)]
    pub rundir: Option<PathBuf>,
    /// Rights that new files do not get, in octal [default: of a daemon 077]
    #[arg(long, value_name = "MODE")]
    #[arg(global = true, hide_short_help = true)]
    pub umask: Option<Umask>,
    /// Become this user, by name or number, once all ports are open
    #[arg(long, value_name = "USER")]
    #[arg(global = true, hide_short_help = true)]
    pub user: Option<String>,
    /// Become this group, by name or number [default: the user's]
    #[arg(long, value_name = "GROUP")]
    #[arg(global = true, hide_short_help = true)]
    pub group: Option<String>,
    /// See nothing but this folder, once all ports are open
    #[arg(long, value_name = "FOLDER")]
    #[arg(global = true, hide_short_help = true)]
    pub chroot: Option<PathBuf>,
}

/// The rights that new files do not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Umask(pub u32);

impl DaemonOptions {
    /// These options, and where they say nothing, those.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            daemon: self.daemon || other.daemon,
            pidfile: self.pidfile.or(other.pidfile),
            rundir: self.rundir.or(other.rundir),
            umask: self.umask.or(other.umask),
            user: self.user.or(other.user),
            group: self.group.or(other.group),
            chroot: self.chroot.or(other.chroot),
        }
    }

    /// What was asked for; of a daemon, whose files nobody else need read, 077.
    pub(crate) fn umask(&self) -> Option<Umask> {
        self.umask.or(self.daemon.then_some(Umask(0o077)))
    }
}

impl FromStr for Umask {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        let is_octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
        let mode = u32::from_str_radix(digits, 8).ok();
        mode.filter(|mode| is_octal && *mode <= 0o777)
            .map(Self)
            .ok_or("must be octal, from 0 to 777, such as 027")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_umask_is_octal() {
        assert_eq!("027".parse(), Ok(Umask(0o27)));
        assert_eq!("0o777".parse(), Ok(Umask(0o777)));
        for wrong in ["", "8", "1000", "-1", "+7", "rwx", "0x1f"] {
            assert!(wrong.parse::<Umask>().is_err(), "{wrong}");
        }
    }
}
