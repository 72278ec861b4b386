//! From names to addresses.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::driver::LookupId;
use crate::handle::Handle;

/// Finds the addresses of host names; install one with [`Handle::set_name_resolver`].
pub trait NameResolver: 'static {
    /// The addresses of a name that is no literal, in the order of preference. Cancelling must give up.
    #[doc(alias = "resolveHostName")]
    fn resolve(&self, reactor: &Handle, name: &str) -> Deferred<Vec<IpAddr>>;
}

/// No name on the wire is longer (RFC 1035, section 2.3.4); a longer one is refused, never cut (DNS-08).
const LONGEST_NAME: usize = 253;

pub(crate) fn resolve(handle: &Handle, name: &str) -> Deferred<Vec<IpAddr>> {
    if let Ok(literal) = name.trim_matches(['[', ']']).parse() {
        return Deferred::succeed(handle, vec![literal]);
    }
    let Some(name) = normalised(name) else {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not a host name");
        return Deferred::fail(handle, error);
    };
    let installed = handle.shared().resolver.borrow().clone();
    installed.map_or_else(
        || ask_the_driver(handle, &name),
        |resolver| resolver.resolve(handle, &name),
    )
}

/// The name as it is asked for; `None` if it is none (R112).
fn normalised(name: &str) -> Option<Cow<'_, str>> {
    let name = if name.is_ascii() {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(ascii(name)?)
    };
    let bare = name.strip_suffix('.').unwrap_or(&name);
    let is_name =
        !bare.is_empty() && bare.len() <= LONGEST_NAME && !bare.contains(['\0', ' ', '\n', '\r']);
    is_name.then_some(name)
}

/// An international name as the name system knows it (UTS 46, RFC 5891): `bücher.example` is `xn--bcher-kva.example`.
///
/// One that comes out as an address (`１２７.０.０.１`, in full width) is refused: it was written not to look like one.
fn ascii(name: &str) -> Option<String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let mut ascii = idna::domain_to_ascii_strict(bare).ok()?;
    if ascii.parse::<IpAddr>().is_ok() {
        return None;
    }
    ascii.push_str(&name[bare.len()..]);
    Some(ascii)
}

fn ask_the_driver(handle: &Handle, name: &str) -> Deferred<Vec<IpAddr>> {
    let begun: Rc<RefCell<Option<LookupId>>> = Rc::default();
    let (to_cancel, canceller) = (Rc::clone(&begun), handle.clone());
    let (deferred, resolver) = Deferred::with_canceller(handle, move |_| {
        canceller.command(move |engine| {
            if let Some(lookup) = to_cancel.take() {
                engine.cancel_lookup(lookup);
            }
        });
    });
    let name = name.to_owned();
    handle.command(move |engine| {
        let lookup = engine.driver.lookup(&name);
        *begun.borrow_mut() = Some(lookup);
        engine.registry.on_lookup(lookup, move |result| {
            let _ = resolver.resolve_with(result.map_err(Into::into));
        });
    });
    deferred
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r112_international_names_are_normalised_and_encoded() {
        let table = [
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("BÜCHER.Example.", Some("xn--bcher-kva.example.")),
            ("bu\u{308}cher.example", Some("xn--bcher-kva.example")),
            ("例え。テスト", Some("xn--r8jz45g.xn--zckzah")),
            ("Plain_Name.example", Some("Plain_Name.example")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("bücher..example", None),
            ("bü cher.example", None),
            ("-bücher.example", None),
            ("ａ／ｂ.example", None),
            ("１２７.０.０.１", None),
            ("bücher\0.example", None),
            ("\u{200b}", None),
            ("", None),
            (".", None),
        ];
        for (name, expected) in table {
            assert_eq!(normalised(name).as_deref(), expected, "{name:?}");
        }
        assert_eq!(
            normalised(&"ü".repeat(64)),
            None,
            "a label has 63 bytes at most"
        );
    }
}
