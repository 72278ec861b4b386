//! How other threads end a wait of the driver.

/// Ends a [`Driver::poll`](super::Driver::poll) from any thread.
pub trait Wake: Send + Sync {
    /// Makes the current or the next `poll` return soon. Any number may be outstanding.
    fn wake(&self);

    /// Lets a pool thread block until `answered(true)` returns, for
    /// [`Remote::blocking_call`](crate::Remote::blocking_call). `answered(true)` blocks until the answer is there,
    /// `answered(false)` only looks; each says whether it is there.
    ///
    /// A driver that runs threads by its own schedule must be told, and only looks, each time that it is the thread's
    /// turn. It may return without an answer when its threads are stopped.
    fn block(&self, answered: &mut dyn FnMut(bool) -> bool) {
        answered(true);
    }
}
