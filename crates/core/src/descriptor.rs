//! A descriptor that its driver understands, on its way between driver, reactor and user.

use std::any::Any;
use std::fmt;

/// An open descriptor, owned: of the kernel on a real driver, of the simulated network on that one. Dropping it closes it.
///
/// It may cross threads, so that one reactor accepts a connection and another serves it.
///
/// ```
/// use ropewalk_core::Descriptor;
///
/// let file = std::fs::File::open("/dev/null")?;
/// let descriptor = Descriptor::new(std::os::fd::OwnedFd::from(file));
/// let owned: std::os::fd::OwnedFd = descriptor.into_inner().map_err(|_| "another driver's")?;
/// # drop(owned);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Descriptor(Box<dyn Any + Send>);

impl Descriptor {
    /// What a driver calls a descriptor: an `OwnedFd` on every real one.
    #[must_use]
    pub fn new(inner: impl Any + Send) -> Self {
        Self(Box::new(inner))
    }

    /// The driver's own form of it.
    ///
    /// # Errors
    ///
    /// It is another driver's; it comes back.
    pub fn into_inner<T: Any>(self) -> Result<T, Self> {
        self.0.downcast().map(|inner| *inner).map_err(Self)
    }

    /// A look at the driver's own form of it.
    #[must_use]
    pub fn inner<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Descriptor")
    }
}
