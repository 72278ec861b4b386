//! Who somebody has proven to be.

use std::fmt;

/// Whom credentials belong to, as a checker says and a realm understands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AvatarId {
    /// Nobody in particular.
    Anonymous,
    /// The user of that name.
    Name(String),
}

impl AvatarId {
    /// The name, if there is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::Name(name) => Some(name),
        }
    }
}

impl fmt::Display for AvatarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name().unwrap_or("anonymous"))
    }
}
