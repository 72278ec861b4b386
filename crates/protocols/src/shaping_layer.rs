//! The layer that lets the bytes of one connection pass at a rate.
//!
//! For: [`ThrottlingFactory`](crate::ThrottlingFactory), and connections that are to be shaped from some moment on. Not for:
//! deciding rates.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Layer;
use ropewalk_core::layer::{Allowance, Direction, LayerError};

use crate::token_bucket::TokenBucket;

/// Shapes one connection, by any number of buckets in each direction.
///
/// Reading waits by back-pressure: the bytes wait in the peer, not here. Writing waits in the connection's queue, where the
/// high-water mark sees it, so that producers and protocols are paused.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_protocols::{ShapingLayer, TokenBucket};
/// use ropewalk_testing::StringTransport;
///
/// struct Greeter;
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write([b'x'; 1000]);
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let layer = ShapingLayer::new().writing(TokenBucket::new(100).into_shared());
/// let mut peer = StringTransport::builder().layer(layer).protocol(Greeter);
/// peer.advance(Duration::from_secs(5));
/// assert!((490..=510).contains(&peer.take_sent().len()));
/// ```
#[derive(Debug, Default)]
pub struct ShapingLayer {
    up: Vec<Meter>,
    down: Vec<Meter>,
}

/// A bucket that several layers may share.
pub type SharedBucket = Rc<RefCell<TokenBucket>>;

impl TokenBucket {
    /// Lets several layers share this bucket: together they pass at its rate.
    #[must_use]
    pub fn into_shared(self) -> SharedBucket {
        Rc::new(RefCell::new(self))
    }
}

/// One connection's account with a bucket.
#[derive(Debug)]
struct Meter {
    bucket: SharedBucket,
    /// Bytes that may pass, once it is time; less than none if bytes passed without asking.
    granted: isize,
    from: Duration,
}

impl ShapingLayer {
    /// Shapes nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shapes what is read.
    #[must_use]
    pub fn reading(mut self, bucket: SharedBucket) -> Self {
        self.up.push(Meter::new(bucket));
        self
    }

    /// Shapes what is written.
    #[must_use]
    pub fn writing(mut self, bucket: SharedBucket) -> Self {
        self.down.push(Meter::new(bucket));
        self
    }
}

impl Layer for ShapingLayer {
    fn name(&self) -> &'static str {
        "shaping"
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        self.up.iter_mut().for_each(|meter| meter.pass(data.len()));
        up(data);
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        self.down
            .iter_mut()
            .for_each(|meter| meter.pass(data.len()));
        down.extend_from_slice(data);
    }

    fn allow(&mut self, direction: Direction, want: usize, now: Duration) -> Allowance {
        let meters = match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        };
        let mut count = want;
        for meter in meters {
            match meter.allow(count, now) {
                Allowance::Bytes(fewer) => count = fewer,
                wait @ Allowance::Wait(_) => return wait,
            }
        }
        Allowance::Bytes(count)
    }
}

impl Meter {
    fn new(bucket: SharedBucket) -> Self {
        Self {
            bucket,
            granted: 0,
            from: Duration::ZERO,
        }
    }

    fn allow(&mut self, want: usize, now: Duration) -> Allowance {
        if self.granted <= 0 {
            let mut bucket = self.bucket.borrow_mut();
            bucket.spend(self.granted.unsigned_abs(), now);
            let (count, from) = bucket.reserve(want, now);
            (self.granted, self.from) = (count as isize, from);
        }
        match self.from.saturating_sub(now) {
            Duration::ZERO => Allowance::Bytes(want.min(self.granted.unsigned_abs())),
            wait => Allowance::Wait(wait),
        }
    }

    fn pass(&mut self, count: usize) {
        self.granted -= count as isize;
    }
}

impl Drop for Meter {
    /// A slot that is not used is another's: peers that come and go must not use up the rate.
    fn drop(&mut self) {
        if self.granted > 0 {
            self.bucket
                .borrow_mut()
                .give_back(self.granted.unsigned_abs());
        }
    }
}
