//! Signals of the process, as events.
//!
//! *What holds for handlers that others installed before*: a handler function is called as before, and then we are told
//! too (signal-hook chains it). An ignored `SIGHUP` stays ignored, so that `nohup` works; ignored `SIGINT` and `SIGTERM`
//! are caught, because a shell's background jobs inherit them so and still must be stoppable by name.
//!
//! *When no driver of the process catches signals any more*, a signal whose action was the default has its default
//! action again (Linux; elsewhere it has none), so that Ctrl-C still ends a program whose reactor has ended.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use mio::{Interest, Registry};
use ropewalk_core::driver::Signal;
use signal_hook::flag::register_conditional_default;
use signal_hook_mio::v1_0::Signals;

use crate::token::Target;

const CAUGHT: [Signal; 3] = [Signal::Interrupt, Signal::Terminate, Signal::Hangup];

/// Signals belong to the process, not to a driver.
static PROCESS: Mutex<Process> = Mutex::new(Process {
    catchers: 0,
    inherited: None,
});

static NOBODY_CATCHES: AtomicBool = AtomicBool::new(false);

struct Process {
    /// How many drivers catch signals.
    catchers: usize,
    /// What was set up before the first of them came.
    inherited: Option<Dispositions>,
}

/// A driver's share of the signals.
pub(crate) struct SignalSource {
    signals: Signals,
}

impl SignalSource {
    pub(crate) fn catch(registry: &Registry) -> io::Result<Self> {
        let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        let inherited = match process.inherited {
            Some(inherited) => inherited,
            None => {
                let inherited = Dispositions::read();
                inherited.restore_defaults_later()?;
                *process.inherited.insert(inherited)
            }
        };
        let mut signals = Signals::new(inherited.to_catch())?;
        registry.register(&mut signals, Target::Signals.token(), Interest::READABLE)?;
        process.catchers += 1;
        NOBODY_CATCHES.store(false, Ordering::SeqCst);
        Ok(Self { signals })
    }

    /// The signals since the last call, each once.
    pub(crate) fn pending(&mut self) -> impl Iterator<Item = Signal> {
        let numbers = self.signals.pending();
        numbers.filter_map(|number| CAUGHT.into_iter().find(|signal| signal.number() == number))
    }
}

impl Drop for SignalSource {
    fn drop(&mut self) {
        let mut process = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        process.catchers -= 1;
        if process.catchers == 0 {
            NOBODY_CATCHES.store(true, Ordering::SeqCst);
        }
    }
}

/// Which signals were ignored and which had a handler; a bit each, the lowest for signal 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Dispositions {
    known: bool,
    ignored: u64,
    handled: u64,
}

impl Dispositions {
    /// The system call for this is not to be had in safe Rust; Linux shows it in a file, others do not.
    fn read() -> Self {
        std::fs::read_to_string("/proc/self/status")
            .map_or(Self::default(), |status| Self::parse(&status))
    }

    fn parse(status: &str) -> Self {
        let mask = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            u64::from_str_radix(line.trim(), 16).ok()
        };
        match (mask("SigIgn:"), mask("SigCgt:")) {
            (Some(ignored), Some(handled)) => Self {
                known: true,
                ignored,
                handled,
            },
            _ => Self::default(),
        }
    }

    fn to_catch(self) -> impl Iterator<Item = i32> {
        let wanted =
            move |signal: &Signal| *signal != Signal::Hangup || !has(self.ignored, *signal);
        CAUGHT.into_iter().filter(wanted).map(Signal::number)
    }

    fn restore_defaults_later(self) -> io::Result<()> {
        let touched = self.ignored | self.handled;
        for signal in CAUGHT
            .into_iter()
            .filter(|&signal| self.known && !has(touched, signal))
        {
            register_conditional_default(signal.number(), &NOBODY_CATCHES)?;
        }
        Ok(())
    }
}

const fn has(mask: u64, signal: Signal) -> bool {
    mask >> (signal.number() - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_of_linux_are_understood() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000180000002\nCapInh:\t0\n";
        let dispositions = Dispositions::parse(status);
        assert!(has(dispositions.ignored, Signal::Hangup));
        assert!(has(dispositions.handled, Signal::Interrupt));
        assert!(!has(dispositions.handled, Signal::Terminate));
        assert_eq!(
            dispositions.to_catch().collect::<Vec<_>>(),
            [2, 15],
            "an ignored SIGHUP stays so"
        );
    }

    #[test]
    fn where_nothing_is_known_everything_is_caught() {
        let dispositions = Dispositions::parse("");
        assert!(!dispositions.known);
        assert_eq!(dispositions.to_catch().collect::<Vec<_>>(), [2, 15, 1]);
    }
}
