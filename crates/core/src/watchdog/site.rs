//! What user code is called, in a number that fits into an atomic.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// A callback of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Callback {
    /// Not one of these.
    None,
    BuildProtocol,
    FactoryConnected,
    ConnectionMade,
    DataReceived,
    DescriptorReceived,
    EofReceived,
    WriteConnectionLost,
    WritingPaused,
    WritingResumed,
    ReadingResumed,
    TimedOut,
    ShuttingDown,
    IsIdle,
    ConnectionLost,
    StartProtocol,
    DatagramReceived,
    ConnectionRefused,
    StopProtocol,
    LentClosure,
    Producer,
}

const NAMES: [&str; 21] = [
    "",
    "build_protocol",
    "connected",
    "connection_made",
    "data_received",
    "descriptor_received",
    "eof_received",
    "write_connection_lost",
    "writing_paused",
    "writing_resumed",
    "reading_resumed",
    "timed_out",
    "shutting_down",
    "is_idle",
    "connection_lost",
    "start_protocol",
    "datagram_received",
    "connection_refused",
    "stop_protocol",
    "a lent closure",
    "a producer",
];

impl Callback {
    pub(crate) const fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// What tells two pieces of user code of one kind apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    Nothing,
    /// The protocol's name.
    Protocol(&'static str),
    /// Where a closure was handed over.
    Made(&'static Location<'static>),
}

/// A piece of user code, as people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) what: &'static str,
    pub(super) of: Of,
}

/// A piece of user code as a number: the callback above, the number of its site below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteId(u32);

impl SiteId {
    /// There is no more to say than the callback.
    pub(crate) const NONE: Self = Self(u32::MAX);

    #[inline]
    pub(super) fn with(self, callback: Callback) -> u64 {
        (callback as u64) << 32 | u64::from(self.0)
    }
}

/// All sites that ever ran. They are as many as the program's text has, so this stays small.
#[derive(Default)]
pub(super) struct Sites(Mutex<Vec<Site>>);

impl Sites {
    fn number(&self, site: Site) -> SiteId {
        let mut sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = sites.iter().position(|known| *known == site);
        let number = number.unwrap_or_else(|| {
            sites.push(site);
            sites.len() - 1
        });
        SiteId(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// What a number means, as [`SiteId::with`] made it.
    pub(super) fn name(&self, number: u64) -> Named {
        let sites = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let site = sites.get((number & u64::from(u32::MAX)) as usize).copied();
        let callback = NAMES.get((number >> 32) as usize).copied();
        Named {
            callback: callback.unwrap_or_default(),
            site,
        }
    }
}

/// For [`Display`](fmt::Display): `data_received of Echo`, `a timed call made at src/main.rs:3:9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    callback: &'static str,
    site: Option<Site>,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.callback)?;
        let Some(site) = self.site else {
            return Ok(());
        };
        f.write_str(site.what)?;
        match site.of {
            Of::Nothing => Ok(()),
            Of::Protocol(name) => write!(f, " of {name}"),
            Of::Made(location) => write!(f, " made at {location}"),
        }
    }
}

/// The numbers of sites that ran lately, found without a lock: by the addresses of what they consist of.
pub(super) struct Recent([Cell<(usize, usize, SiteId)>; Self::PLACES]);

impl Recent {
    const PLACES: usize = 64;

    pub(super) fn new() -> Self {
        Self([const { Cell::new((0, 0, SiteId(0))) }; Self::PLACES])
    }

    #[inline]
    pub(super) fn number(&self, what: &'static str, of: Of, sites: &Sites) -> SiteId {
        let first = what.as_ptr().addr();
        let second = match of {
            Of::Nothing => 0,
            Of::Protocol(name) => name.as_ptr().addr() ^ name.len().rotate_right(8),
            Of::Made(location) => std::ptr::from_ref(location).addr(),
        };
        let place = &self.0[((first ^ second) >> 3) % Self::PLACES];
        let (known_first, known_second, number) = place.get();
        if (known_first, known_second) == (first, second) {
            return number;
        }
        let number = sites.number(Site { what, of });
        place.set((first, second, number));
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_again_and_means_what_it_meant() {
        let (sites, recent) = (Sites::default(), Recent::new());
        let here = Location::caller();
        let made = recent.number("a timed call", Of::Made(here), &sites);
        let echo = recent.number("", Of::Protocol("Echo"), &sites);
        assert_ne!(made, echo);
        assert_eq!(recent.number("a timed call", Of::Made(here), &sites), made);
        assert_eq!(Recent::new().number("", Of::Protocol("Echo"), &sites), echo);
        let name = |number| sites.name(number).to_string();
        assert_eq!(
            name(made.with(Callback::None)),
            format!("a timed call made at {here}")
        );
        assert_eq!(name(echo.with(Callback::Producer)), "a producer of Echo");
        let hook = recent.number("a SIGHUP hook", Of::Nothing, &sites);
        assert_eq!(name(hook.with(Callback::None)), "a SIGHUP hook");
    }
}
