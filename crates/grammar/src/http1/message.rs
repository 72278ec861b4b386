//! What a request and a response do not have in common; all else is one machine.

use std::fmt;

use super::field::Fields;
use super::machine::Verdict;
use super::meaning::Meaning;
use super::rule::Broken;

/// A kind of message: [`Request`](super::Request) or [`Response`](super::Response). Not for implementing.
pub trait Message: Sealed {
    /// Its head, lent from the received bytes.
    type Head<'a>: Copy + fmt::Debug;
}

/// The rest of the trait, for the decoder only.
pub trait Sealed: Clone + fmt::Debug + 'static {
    /// Whether an empty line may stand before it.
    const MAY_FOLLOW_EMPTY_LINE: bool;

    /// Whether the fields of one are often those of the one before.
    const REPEATS: bool;

    /// Whether one must come before the stream may end.
    fn is_awaited(&self) -> bool;

    /// The first byte of one has come.
    fn begin(&mut self) -> Result<(), Broken>;

    /// Reads on in the first line; gives where it ends.
    fn read_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken>;

    /// The head is whole: what of the rules on it as a whole?
    fn judge(&mut self, head: &[u8], meaning: &Meaning) -> Result<(), Broken>;

    /// Where the body ends of the head that was judged last, and what comes then.
    fn verdict(&self) -> Verdict;

    /// The head to be told.
    fn head<'a>(&'a self, fields: Fields<'a>, meaning: &'a Meaning) -> <Self as Message>::Head<'a>
    where
        Self: Message;

    /// The last byte of one has come.
    fn end(&mut self);
}
