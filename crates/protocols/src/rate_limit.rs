//! How often each of many may do something: log in and fail, ask, connect.
//!
//! For: requests and attempts, counted per peer or per user. Not for: bytes; those have a [`TokenBucket`](crate::TokenBucket).
//!
//! # The table is bounded
//!
//! A bucket is one point in time (when what was taken so far will have dripped in again), so a key costs some 40 bytes. Who has many addresses
//! could still fill the memory with keys. So keys live in two halves. What is used moves to the young half; when that is full, the old half
//! is forgotten at once, and the young one is the old. There is no scan, no clock, and no list to keep.
//!
//! What an attacker gains by it: after so many *other* keys as a half holds, a forgotten bucket is full again. But who has so many addresses
//! has as many fresh buckets anyway. Rejected: refusing who is unknown while the table is full (a flood would lock out everybody new).

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A token bucket for each key. Time is given, as a duration since some moment.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_protocols::RateLimit;
///
/// // Three at once, and then one every ten seconds.
/// let mut limit = RateLimit::new(3, Duration::from_secs(10));
/// let now = Duration::from_secs(1000);
/// assert!((0..3).all(|_| limit.take("ann", now).is_ok()));
/// assert_eq!(limit.take("ann", now), Err(Duration::from_secs(10)));
/// assert_eq!(limit.take("bob", now), Ok(()));
/// assert_eq!(limit.take("ann", now + Duration::from_secs(10)), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit<K> {
    /// How long it takes for one token to drip in.
    interval: Duration,
    burst: u32,
    half_keys: usize,
    young: HashMap<K, Duration>,
    old: HashMap<K, Duration>,
}

/// Who is counted as one: an IPv4 address, or the /64 of an IPv6 one, of which everybody has all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey(IpAddr);

/// So many keys are remembered, unless told otherwise: some megabytes.
const MOST_KEYS: usize = 65_536;

impl<K: Eq + Hash> RateLimit<K> {
    /// Lets each key do so many at once, and one more in each interval.
    ///
    /// # Panics
    ///
    /// If the burst or the interval is zero: nothing, or everything, would be allowed.
    #[must_use]
    pub fn new(burst: u32, interval: Duration) -> Self {
        assert!(
            burst > 0 && !interval.is_zero(),
            "RateLimit::new({burst}, {interval:?}): give a burst and an interval above zero"
        );
        Self {
            interval,
            burst,
            half_keys: MOST_KEYS / 2,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// The same, remembering so many keys at most, and at least two.
    #[must_use]
    pub fn with_most_keys(mut self, keys: usize) -> Self {
        self.half_keys = (keys / 2).max(1);
        self
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// When there is none: after how long there will be one. Nothing is taken then, so asking in vain costs nothing.
    pub fn take(&mut self, key: K, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at(&key).max(now);
        let most = self.interval.saturating_mul(self.burst - 1);
        let debt = full_at - now;
        if debt > most {
            self.put(key, full_at);
            return Err(debt - most);
        }
        self.put(key, full_at.saturating_add(self.interval));
        Ok(())
    }

    /// Gives a token back that was taken for nothing.
    pub fn give_back(&mut self, key: K) {
        let full_at = self.full_at(&key);
        self.put(key, full_at.saturating_sub(self.interval));
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// When the bucket of that key is or was full; who is unknown always had a full one.
    fn full_at(&self, key: &K) -> Duration {
        let known = self.young.get(key).or_else(|| self.old.get(key));
        known.copied().unwrap_or_default()
    }

    fn put(&mut self, key: K, full_at: Duration) {
        self.old.remove(&key);
        if self.young.len() >= self.half_keys && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, full_at);
    }
}

impl From<IpAddr> for PeerKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address => address,
        })
    }
}

/// For peers without an address, such as those of UNIX sockets: they are one.
impl Default for PeerKey {
    fn default() -> Self {
        Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_token_drips_in_each_interval() {
        let mut limit = RateLimit::new(2, SECOND);
        let taken = |limit: &mut RateLimit<_>, seconds| limit.take('a', SECOND * seconds).is_ok();
        let answers: Vec<_> = [5, 5, 5, 6, 6, 9, 9, 9]
            .map(|at| taken(&mut limit, at))
            .into();
        assert_eq!(answers, [true, true, false, true, false, true, true, false]);
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut limit = RateLimit::new(1, SECOND);
        assert_eq!(limit.take('a', SECOND), Ok(()));
        limit.give_back('a');
        assert_eq!(limit.take('a', SECOND), Ok(()));
        assert_eq!(limit.take('a', SECOND), Err(SECOND));
        limit.give_back('b');
        assert_eq!(limit.take('b', SECOND), Ok(()));
        assert_eq!(
            limit.take('b', SECOND),
            Err(SECOND),
            "nobody saves up beyond the burst"
        );
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_was_not_seen_for_long() {
        let mut limit = RateLimit::new(1, SECOND * 1000).with_most_keys(100);
        assert_eq!(limit.take(0, SECOND), Ok(()));
        for key in 1..10_000 {
            assert_eq!(limit.take(key, SECOND), Ok(()));
            assert!(limit.keys() <= 100);
            if key % 40 == 0 {
                assert!(
                    limit.take(0, SECOND).is_err(),
                    "who comes again is remembered"
                );
            }
        }
        assert_eq!(limit.take(1, SECOND), Ok(()), "it was forgotten");
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let key = |text: &str| PeerKey::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1:2:3"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    proptest! {
        #[test]
        fn no_more_passes_than_burst_and_drip(burst in 1..9u32, mut times in prop::collection::vec(0..60_u64, 0..200)) {
            times.sort_unstable();
            let mut limit = RateLimit::new(burst, SECOND * 3);
            let taken = times.iter().filter(|&&at| limit.take((), SECOND * at as u32).is_ok()).count();
            prop_assert!(taken <= burst as usize + 20);
        }
    }
}
