//! Sets of methods: what a resource can be asked for.

use std::fmt;

use ropewalk_grammar::http1::Method;

/// A set of methods, written as `Methods::GET.and(Methods::POST)`.
///
/// GET brings HEAD, which every resource has that has GET; OPTIONS is answered for all (R147).
///
/// ```
/// use ropewalk_web::Methods;
///
/// let methods = Methods::GET.and(Methods::PUT);
/// assert_eq!(methods.to_string(), "GET, HEAD, OPTIONS, PUT");
/// assert!(methods.contains(Methods::PUT) && !methods.contains(Methods::POST));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

const NAMES: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl Methods {
    /// None but OPTIONS.
    pub const NONE: Self = Self(1 << 3);
    /// DELETE.
    pub const DELETE: Self = Self(1 | 1 << 3);
    /// GET and HEAD.
    pub const GET: Self = Self(1 << 1 | 1 << 2 | 1 << 3);
    /// PATCH.
    pub const PATCH: Self = Self(1 << 4 | 1 << 3);
    /// POST.
    pub const POST: Self = Self(1 << 5 | 1 << 3);
    /// PUT.
    pub const PUT: Self = Self(1 << 6 | 1 << 3);
    /// All of these.
    pub const ALL: Self = Self(0x7f);

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among them.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// This method and no other; `None` if no resource can have it, so that the answer is 501.
    pub(crate) fn of(method: Method<'_>) -> Option<Self> {
        Some(Self(match method {
            Method::Delete => 1,
            Method::Get => 1 << 1,
            Method::Head => 1 << 2,
            Method::Options => 1 << 3,
            Method::Patch => 1 << 4,
            Method::Post => 1 << 5,
            Method::Put => 1 << 6,
            _ => return None,
        }))
    }
}

/// As in the header `Allow`.
impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for (index, name) in NAMES.iter().enumerate() {
            if self.0 & (1 << index) != 0 {
                write!(f, "{comma}{name}")?;
                comma = ", ";
            }
        }
        Ok(())
    }
}
