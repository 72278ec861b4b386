//! The system's log, through its datagram socket, in the form that the C library writes (RFC 3164, section 4).
//!
//! The time is left out, as the RFC allows: whoever receives it from this machine adds their own, in local time. It waits for
//! nobody: what the system's log does not take at once is lost.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::Level;

/// Facility "daemon" (RFC 3164, section 4.1.1).
const DAEMON: u8 = 3;
/// What the receivers of today take at least.
const LONGEST: usize = 8 * 1024;

pub(super) struct Syslog {
    socket: UnixDatagram,
    path: PathBuf,
    tag: String,
}

impl Syslog {
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        Ok(Self {
            socket: connected(path)?,
            path: std::path::absolute(path)?,
            tag: format!("{}[{}]", own_name(), std::process::id()),
        })
    }

    pub(super) fn write_line(&mut self, level: Level, line: &[u8]) -> io::Result<()> {
        let priority = DAEMON * 8 + severity(level);
        let mut datagram = format!("<{priority}>{}: ", self.tag).into_bytes();
        datagram.extend_from_slice(line.trim_ascii());
        datagram.truncate(LONGEST);
        match self.socket.send(&datagram) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                // It was restarted: its socket is another one of the same name.
                self.socket = connected(&self.path)?;
                self.socket.send(&datagram).map(drop)
            }
            sent => sent.map(drop),
        }
    }
}

fn connected(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

fn own_name() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_stem().unwrap_or_default();
    let is_fit = |character: &char| character.is_alphanumeric() || "-_".contains(*character);
    name.to_string_lossy().chars().filter(is_fit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_line_is_a_datagram_with_its_priority_also_after_a_restart() {
        let scratch = Scratch::new();
        let path = scratch.path("log");
        let mut buffer = [0; 2 * LONGEST];
        let system = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::connect(&path).unwrap();
        syslog.write_line(Level::ERROR, b"broken\n").unwrap();
        let length = system.recv(&mut buffer).unwrap();
        let line = String::from_utf8_lossy(&buffer[..length]);
        assert!(
            line.starts_with("<27>") && line.ends_with("]: broken"),
            "{line}"
        );

        drop(system);
        assert!(syslog.write_line(Level::INFO, b"nobody hears\n").is_err());
        std::fs::remove_file(&path).unwrap();
        let system = UnixDatagram::bind(&path).unwrap();
        syslog
            .write_line(Level::INFO, &[b'x'; 2 * LONGEST])
            .unwrap();
        let length = system.recv(&mut buffer).unwrap();
        assert!(buffer.starts_with(b"<30>") && length == LONGEST);
    }
}
