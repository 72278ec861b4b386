//! UNIX addresses, between the kernel's form and ours.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use ropewalk_core::address::{Address, UnixAddress};
use socket2::SockAddr;

/// The longest path, or abstract name: 108 bytes with the zero that ends one or begins the other (unix(7)); 104 where BSD is
/// the ancestor.
const LONGEST: usize = if cfg!(any(target_os = "linux", target_os = "android")) {
    107
} else {
    103
};

/// The kernel's form of a name to listen at or connect to.
///
/// # Errors
///
/// The name is empty, too long, holds a zero byte, or is abstract where the kernel has no such.
pub(crate) fn to_kernel(address: &UnixAddress) -> io::Result<SockAddr> {
    match address {
        UnixAddress::Path(path) => path_to_kernel(path),
        UnixAddress::Abstract(name) => abstract_to_kernel(name),
        _ => Err(wrong("a UNIX socket needs a path, or @ and a name".into())),
    }
}

fn path_to_kernel(path: &Path) -> io::Result<SockAddr> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.contains(&0) {
        return Err(wrong(
            "the path of a UNIX socket is neither empty nor holds a zero byte".into(),
        ));
    }
    check_length(bytes.len(), "path")?;
    SockAddr::unix(path)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_to_kernel(name: &[u8]) -> io::Result<SockAddr> {
    if name.is_empty() {
        return Err(wrong("an abstract name is not empty".into()));
    }
    check_length(name.len(), "name")?;
    let mut bytes = vec![0];
    bytes.extend_from_slice(name);
    SockAddr::unix(std::ffi::OsStr::from_bytes(&bytes))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_to_kernel(_: &[u8]) -> io::Result<SockAddr> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "only Linux has abstract names; use a path",
    ))
}

fn check_length(length: usize, what: &str) -> io::Result<()> {
    if length <= LONGEST {
        return Ok(());
    }
    Err(wrong(format!(
        "the {what} is {length} bytes long, and the system takes {LONGEST} at most; use a shorter one, such as one under /run"
    )))
}

fn wrong(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Our form of an address that the kernel told.
pub(crate) fn from_kernel(address: &SocketAddr) -> Address {
    Address::Unix(if let Some(path) = address.as_pathname() {
        UnixAddress::path(path)
    } else if let Some(name) = abstract_name(address) {
        UnixAddress::abstract_name(name)
    } else {
        UnixAddress::Unnamed
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;

    address.as_abstract_name()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_is_refused_in_words() {
        assert!(to_kernel(&UnixAddress::path("x".repeat(LONGEST))).is_ok());
        let error = to_kernel(&UnixAddress::path("x".repeat(LONGEST + 1))).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("{} bytes", LONGEST + 1)),
            "{error}"
        );
        for address in [
            UnixAddress::Unnamed,
            UnixAddress::path(""),
            UnixAddress::path("a\0b"),
        ] {
            assert_eq!(
                to_kernel(&address).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_name_may_hold_any_bytes() {
        use std::os::linux::net::SocketAddrExt;

        let name: Vec<u8> = (0..=106).collect();
        assert!(to_kernel(&UnixAddress::abstract_name(&name)).is_ok());
        assert!(to_kernel(&UnixAddress::abstract_name([0; 108])).is_err());
        let told = SocketAddr::from_abstract_name(&name).unwrap();
        assert_eq!(
            from_kernel(&told),
            Address::Unix(UnixAddress::abstract_name(&name))
        );
    }
}
