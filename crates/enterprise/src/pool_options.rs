//! What bounds a pool.

/// How many connections a pool has, and how much may wait.
///
/// ```
/// use ropewalk_enterprise::PoolOptions;
///
/// let options = PoolOptions { max: 10, ..PoolOptions::default() };
/// assert_eq!(options.min, 3);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// So many connections stay open when there is nothing to do; none is opened before it is needed. 3, as Twisted's.
    #[doc(alias = "cp_min")]
    pub min: usize,
    /// So many connections at most, each with one thread at a time; work beyond that waits in order. 5, as Twisted's.
    ///
    /// The threads are the reactor's, which has 10 unless told otherwise
    /// ([`set_thread_limit`](ropewalk_core::Handle::set_thread_limit)) and looks up names in them too: two pools of 5 can make
    /// a look-up wait.
    #[doc(alias = "cp_max")]
    pub max: usize,
    /// So much work may wait for a connection; more fails at once with [`PoolError::QueueFull`](crate::PoolError). Stops peers
    /// that ask faster than the database answers from filling our memory, and from waiting for answers that come when nobody
    /// wants them any more. 1000.
    pub queue: usize,
    /// The rows of one query may take so much memory; more is [`DatabaseError::TooLarge`](crate::DatabaseError). Stops a query
    /// that forgot its `WHERE`, or a table that others fill, from filling our memory. 64 MiB.
    pub result_bytes: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            min: 3,
            max: 5,
            queue: 1000,
            result_bytes: 64 * 1024 * 1024,
        }
    }
}
