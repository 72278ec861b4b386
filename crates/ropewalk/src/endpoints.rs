//! All types of endpoints that Ropewalk brings, on the process's list.

use std::sync::Once;

use ropewalk_core::endpoint;

/// Lets endpoint strings begin with every type that Ropewalk brings ([the list](crate::manual::endpoints)).
///
/// [`reactor`](crate::reactor), `program::run` and tests do it by themselves; call it where strings
/// are read before any of these. Types registered by others under the same name before are replaced, later ones stay.
pub fn register_endpoints() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        endpoint::register(ropewalk_protocols::PROXY_KIND);
        #[cfg(any(feature = "tls", feature = "tls-ring"))]
        ropewalk_tls::register();
    });
}
