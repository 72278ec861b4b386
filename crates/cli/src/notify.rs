//! Tells the service manager how it goes: `sd_notify(3)`.
//!
//! It is our own for one reason: the socket must be found and connected before the root changes and privileges are gone,
//! and the crates for it look for the socket at every message.

use std::env;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use ropewalk::Failure;

/// A service manager that wants to hear of us; or nobody, and then every message is nothing.
#[derive(Debug)]
pub(crate) struct Manager {
    socket: Option<UnixDatagram>,
    /// How often it must hear from us, or else takes us for stuck.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The one that the environment names.
    ///
    /// # Errors
    ///
    /// It cannot be reached where the environment says.
    pub(crate) fn from_env() -> Result<Self, Failure> {
        let address = env::var("NOTIFY_SOCKET")
            .ok()
            .filter(|name| !name.is_empty());
        let socket = address
            .as_deref()
            .map(connect)
            .transpose()
            .map_err(|error| {
                let address = address.as_deref().unwrap_or_default();
                Failure::message(format!(
                    "the service manager cannot be reached at {address:?} (NOTIFY_SOCKET): {error}"
                ))
            })?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_for_us = |pid| pid == u64::from(std::process::id());
        let is_watched =
            env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID").is_some_and(is_for_us);
        let watchdog =
            number("WATCHDOG_USEC").filter(|microseconds| is_watched && *microseconds > 0);
        Ok(Self {
            socket,
            watchdog: watchdog.map(Duration::from_micros),
        })
    }

    /// How often to call [`lives`](Self::lives), if somebody waits for it: twice as often as they must hear it.
    pub(crate) fn watch_interval(&self) -> Option<Duration> {
        let watchdog = self.watchdog.filter(|_| self.socket.is_some());
        watchdog.map(|longest| longest / 2)
    }

    pub(crate) fn ready(&self) {
        let id = std::process::id();
        self.tell(&format!("READY=1\nMAINPID={id}\nSTATUS=serving\n"));
    }

    /// `READY=1` must follow (`Type=notify-reload`).
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
        let microseconds = now.as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
    }

    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping\n");
    }

    pub(crate) fn lives(&self) {
        self.tell("WATCHDOG=1\n");
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else {
            return;
        };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }
}

/// A path, or with `@` first a name that is no file (Linux).
fn connect(address: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match address.strip_prefix('@') {
        None => socket.connect(address)?,
        Some(name) => connect_to_name(&socket, name)?,
    }
    // A manager that reads nothing must not stop the service.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn connect_to_name(socket: &UnixDatagram, name: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.connect_addr(&address)
}

#[cfg(not(target_os = "linux"))]
fn connect_to_name(_: &UnixDatagram, _: &str) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux has sockets with such names",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn messages(address: &str, system: &UnixDatagram) -> Vec<String> {
        let manager = Manager {
            socket: Some(connect(address).unwrap()),
            watchdog: Some(Duration::from_secs(3)),
        };
        assert_eq!(manager.watch_interval(), Some(Duration::from_millis(1500)));
        manager.ready();
        manager.lives();
        manager.reloading();
        manager.stopping();
        let mut buffer = [0; 1000];
        let receive = |_| {
            let length = system.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        (0..4).map(receive).collect()
    }

    #[test]
    fn the_manager_hears_of_it_at_a_path() {
        let scratch = Scratch::new();
        let path = scratch.path("notify");
        let system = UnixDatagram::bind(&path).unwrap();
        let heard = messages(path.to_str().unwrap(), &system);
        assert!(heard[0].contains(&format!("READY=1\nMAINPID={}\n", std::process::id())));
        assert_eq!(heard[1], "WATCHDOG=1\n");
        let reloading = heard[2]
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        assert!(reloading.trim().parse::<u64>().unwrap() > 0);
        assert!(heard[3].starts_with("STOPPING=1\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_manager_hears_of_it_at_a_name_that_is_no_file() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("ropewalk-notify-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let system = UnixDatagram::bind_addr(&address).unwrap();
        assert_eq!(messages(&format!("@{name}"), &system)[1], "WATCHDOG=1\n");
    }

    #[test]
    fn nobody_to_tell_is_nothing() {
        let manager = Manager {
            socket: None,
            watchdog: Some(Duration::from_secs(3)),
        };
        assert_eq!(manager.watch_interval(), None);
        manager.ready();
        assert!(connect("/no/such/socket").is_err());
    }
}
