//! Names of fields that are to be sent.

use super::Name;

/// The name of a field to be sent: a [`Name`], or text, which is then checked.
pub trait SendName: AsRef<[u8]> {
    /// The same, if it is known: it need not be looked up then, nor checked.
    fn known(&self) -> Option<Name> {
        Name::of(self.as_ref())
    }
}

impl SendName for Name {
    fn known(&self) -> Option<Name> {
        Some(*self)
    }
}

impl SendName for str {}
impl SendName for String {}
impl SendName for [u8] {}
impl SendName for Vec<u8> {}
impl<const N: usize> SendName for [u8; N] {}

impl<T: SendName + ?Sized> SendName for &T {
    fn known(&self) -> Option<Name> {
        (**self).known()
    }
}
