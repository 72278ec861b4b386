//! What may stand where an agent is asked for.

use ropewalk_core::Handle;

use super::agent::Agent;

/// An [`Agent`], or a reactor: that stands for a new agent on it.
///
/// Whoever connects often, and with TLS, keeps an agent: each new one reads what the machine trusts.
pub trait AsAgent {
    /// The agent.
    fn as_agent(&self) -> Agent;
}

impl AsAgent for Agent {
    fn as_agent(&self) -> Agent {
        self.clone()
    }
}

impl<T: AsRef<Handle>> AsAgent for T {
    fn as_agent(&self) -> Agent {
        Agent::new(self.as_ref())
    }
}
