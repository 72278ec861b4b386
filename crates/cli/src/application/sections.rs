//! `[log]`, `[daemon]`, `[shutdown]`: what can be said on the command line too, and deadlines.

use std::path::PathBuf;

use ropewalk::service::Grace;

use super::keys::Keys;
use crate::daemon::DaemonOptions;
use crate::log::LogOptions;
use crate::watchdog::{Times, WatchdogOptions};

pub(super) struct Sections {
    pub(super) log: LogOptions,
    pub(super) daemon: DaemonOptions,
    pub(super) grace: Grace,
    pub(super) watchdog: WatchdogOptions,
}

impl Sections {
    pub(super) fn take(keys: &mut Keys<'_>) -> Self {
        Self {
            log: keys.table("log").map(log).unwrap_or_default(),
            daemon: keys.table("daemon").map(daemon).unwrap_or_default(),
            grace: keys.table("shutdown").map(grace).unwrap_or_default(),
            watchdog: keys.table("watchdog").map(watchdog).unwrap_or_default(),
        }
    }
}

fn log(mut keys: Keys<'_>) -> LogOptions {
    let options = LogOptions {
        log_file: path(&mut keys, "file"),
        log_format: keys.parsed("format"),
        log_level: keys.parsed("level"),
        log_rotate: keys.parsed("rotate"),
        log_keep: keys
            .count("keep")
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
        syslog: path(&mut keys, "syslog"),
    };
    if let Err(failure) = options.check() {
        keys.complain(keys.place(), failure);
    }
    options
}

fn daemon(mut keys: Keys<'_>) -> DaemonOptions {
    let text = |found: super::keys::At<String>| found.value;
    DaemonOptions {
        daemon: keys.flag("daemon"),
        pidfile: path(&mut keys, "pidfile"),
        rundir: path(&mut keys, "rundir"),
        umask: keys.parsed("umask"),
        user: keys.string("user").map(text),
        group: keys.string("group").map(text),
        chroot: path(&mut keys, "chroot"),
    }
}

fn grace(mut keys: Keys<'_>) -> Grace {
    let soft = keys.seconds("soft").map(|soft| soft.value);
    let grace = soft.map_or_else(Grace::default, Grace::new);
    let Some(hard) = keys.seconds("hard") else {
        return grace;
    };
    if hard.value < grace.soft {
        let soft = grace.soft.as_secs_f64();
        keys.complain(
            hard.place,
            format_args!("\"hard\" must not come before \"soft\", which is {soft}"),
        );
    }
    grace.with_hard(hard.value)
}

fn watchdog(mut keys: Keys<'_>) -> WatchdogOptions {
    let mut time = |key| keys.some_seconds_or_false(key);
    let times = Times {
        slow: time("slow"),
        stuck: time("stuck"),
        abort: time("abort"),
    };
    WatchdogOptions {
        watchdog: Some(times),
    }
}

fn path(keys: &mut Keys<'_>, key: &str) -> Option<PathBuf> {
    keys.string(key).map(|found| PathBuf::from(found.value))
}
