//! What an endpoint string puts around the factory of whoever listens or connects.

use std::fmt;
use std::rc::Rc;

use super::EndpointError;
use crate::factory::Factory;
use crate::handle::Handle;

/// Factories around a factory: TLS, a PROXY header, a policy. The first is nearest to the user's; the layers of the last
/// are nearest to the wire ([`Factory::layers`]).
#[derive(Clone, Default)]
#[expect(clippy::type_complexity, reason = "this type is the name for it")]
pub(super) struct Wrappers(
    Vec<Rc<dyn Fn(&Handle, Box<dyn Factory>) -> Result<Box<dyn Factory>, EndpointError>>>,
);

impl Wrappers {
    /// Puts one around all others.
    pub(super) fn add(
        &mut self,
        wrap: impl Fn(&Handle, Box<dyn Factory>) -> Result<Box<dyn Factory>, EndpointError> + 'static,
    ) {
        self.0.push(Rc::new(wrap));
    }

    /// The factory with all of them around it.
    pub(super) fn wrap(
        &self,
        handle: &Handle,
        factory: Box<dyn Factory>,
    ) -> Result<Box<dyn Factory>, EndpointError> {
        let mut wrappers = self.0.iter();
        wrappers.try_fold(factory, |factory, wrap| wrap(handle, factory))
    }
}

/// How many there are.
impl fmt::Debug for Wrappers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.len().fmt(f)
    }
}
