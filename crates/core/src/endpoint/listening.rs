//! What a server's endpoint string comes to: where connections come from, and what is put around their factory.

use std::fmt;
use std::io;
use std::rc::Rc;

use super::EndpointError;
use super::wrappers::Wrappers;
use crate::address::Address;
use crate::driver::{ConnId, Driver, Listen, ListenerId};
use crate::factory::Factory;
use crate::handle::Handle;

/// Where to listen, how, and what stands between there and the factory.
///
/// ```text
///   proxy:from=10.0.0.0/8:tls:443:cert=…      source: tcp port 443
///   ──┬──                 ─┬─                 wrapped: first by tls, then by proxy
///   nearer to the wire    nearer to the protocol
/// ```
///
/// It is made from a string by the [kinds](super::Kind) that are [registered](super::register); a kind of your own makes
/// one of these. Nothing is opened before somebody listens.
#[derive(Clone)]
pub struct Listening {
    source: Source,
    wrappers: Wrappers,
    /// Kinds around the source, each with its colon, as in `proxy:`.
    prefix: String,
    /// What stands in the place of the address's own kind.
    scheme: Option<&'static str>,
    text: String,
}

/// Where the connections of a port come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Source {
    /// The driver listens at an address.
    Bind(Listen),
    /// The driver listens with what is open already.
    Adopt(Open<ListenerId>),
    /// There is one connection, and no other after it: standard input and output, a child process.
    Once(Open<ConnId>),
}

/// Makes a listener ([`ListenerId`]) or a connection ([`ConnId`]) in another way than by an address, when somebody listens
/// or connects: from an inherited descriptor, the standard ones, a child process. What can be had once fails the second time.
///
/// It returns the name of what it made, and our end's address. That a connection is there, or will never be, the driver
/// reports as it does for [`Driver::connect`].
#[expect(clippy::type_complexity, reason = "this type is the name for it")]
pub struct Open<T>(Rc<dyn Fn(&mut dyn Driver) -> io::Result<(T, Address)>>);

impl Listening {
    /// Connections from this source; `text` is the endpoint string, for errors.
    #[must_use]
    pub fn new(source: Source, text: impl fmt::Display) -> Self {
        Self {
            source,
            wrappers: Wrappers::default(),
            prefix: String::new(),
            scheme: None,
            text: text.to_string(),
        }
    }

    /// With another factory around the user's, outside of those that are there already.
    ///
    /// The function is called when somebody listens: what must be read for it, such as a certificate, is read there, and
    /// what is wrong with that is said with [`Description::unusable`](super::Description::unusable).
    #[must_use]
    pub fn wrapped(
        mut self,
        wrap: impl Fn(&Handle, Box<dyn Factory>) -> Result<Box<dyn Factory>, EndpointError> + 'static,
    ) -> Self {
        self.wrappers.add(wrap);
        self
    }

    /// Shown with this type in place of the address's own: `tls:127.0.0.1:443`, not `tcp:…`.
    #[must_use]
    pub fn shown_as(mut self, scheme: &'static str) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// Shown inside of this type: `proxy:tcp:127.0.0.1:80`.
    #[must_use]
    pub fn shown_inside(mut self, kind: &str) -> Self {
        self.prefix.insert_str(0, &format!("{kind}:"));
        self
    }

    /// Said so in errors.
    #[must_use]
    pub fn with_text(mut self, text: impl fmt::Display) -> Self {
        self.text = text.to_string();
        self
    }

    /// Where the connections come from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where to listen, for a source that is an address.
    #[must_use]
    pub fn listen(&self) -> Option<&Listen> {
        match &self.source {
            Source::Bind(listen) => Some(listen),
            Source::Adopt(_) | Source::Once(_) => None,
        }
    }

    /// The same, to change how.
    pub fn listen_mut(&mut self) -> Option<&mut Listen> {
        match &mut self.source {
            Source::Bind(listen) => Some(listen),
            Source::Adopt(_) | Source::Once(_) => None,
        }
    }

    /// The factory with all that belongs around it: for those who serve connections that another reactor accepts here.
    ///
    /// # Errors
    ///
    /// What a wrapper needs cannot be had, such as a certificate.
    pub fn wrap(
        &self,
        handle: &Handle,
        factory: Box<dyn Factory>,
    ) -> Result<Box<dyn Factory>, EndpointError> {
        self.wrappers.wrap(handle, factory)
    }

    /// The endpoint as whom it may concern can reach it, once the real address is known.
    pub(crate) fn shown_at(&self, host: &Address) -> String {
        let text = host.to_string();
        let place = &text[host.kind().len()..];
        let scheme = self.scheme.unwrap_or_else(|| host.kind());
        format!("{}{scheme}{place}", self.prefix)
    }
}

impl<T> Open<T> {
    /// By this function.
    #[must_use]
    pub fn new(open: impl Fn(&mut dyn Driver) -> io::Result<(T, Address)> + 'static) -> Self {
        Self(Rc::new(open))
    }

    pub(crate) fn open(&self, driver: &mut dyn Driver) -> io::Result<(T, Address)> {
        (self.0)(driver)
    }
}

impl<T> Clone for Open<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl From<Listen> for Listening {
    fn from(listen: Listen) -> Self {
        let text = listen.address.to_string();
        Self::new(Source::Bind(listen), text)
    }
}

/// The endpoint string.
impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening")
            .field("text", &self.text)
            .field("source", &self.source)
            .field("wrappers", &self.wrappers)
            .finish()
    }
}

impl<T> fmt::Debug for Open<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}
