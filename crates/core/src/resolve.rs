//! From names to addresses.

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
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.is_empty() || bare.len() > LONGEST_NAME || bare.contains(['\0', ' ', '\n', '\r']) {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "not a host name");
        return Deferred::fail(handle, error);
    }
    let installed = handle.shared().resolver.borrow().clone();
    installed.map_or_else(
        || ask_the_driver(handle, name),
        |resolver| resolver.resolve(handle, name),
    )
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
