//! Whose pages may connect.

use ropewalk_grammar::websocket::ServerHandshake;

/// Whose pages a server lets connect (WS-09).
///
/// A browser lets every page connect to every server, with the server's cookies, so a foreign page would speak in its
/// visitor's name. Programs that are no browsers send no origin, and are not held back by this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Those of the host that is asked, on any scheme; the default.
    #[default]
    Same,
    /// Those of the host that is asked, and these, each as a browser writes it: `https://example.com`.
    SameAnd(Vec<String>),
    /// Everybody's. For what is public, and knows its visitors by other means than cookies.
    DangerousAny,
}

impl Origins {
    pub(super) fn allow(&self, handshake: &ServerHandshake<'_>) -> bool {
        match self {
            Self::DangerousAny => true,
            Self::Same => handshake.is_same_origin(),
            Self::SameAnd(others) => {
                let is_listed = |origin: &str| {
                    others
                        .iter()
                        .any(|other| other.eq_ignore_ascii_case(origin))
                };
                handshake.is_same_origin() || handshake.origin().is_some_and(is_listed)
            }
        }
    }
}
