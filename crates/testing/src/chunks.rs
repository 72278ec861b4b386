//! How a stream is cut into pieces on its way.

use ropewalk_sim::Random;

/// Cuts a stream into pieces, as a network does: a protocol must not care.
///
/// ```
/// use ropewalk_testing::Chunks;
///
/// let pieces: Vec<&[u8]> = Chunks::of(2).cut(b"hello").collect();
/// assert_eq!(pieces, [&b"he"[..], b"ll", b"o"]);
/// ```
#[derive(Clone, Debug)]
pub struct Chunks(Policy);

#[derive(Clone, Debug)]
enum Policy {
    Whole,
    Of(usize),
    FirstThenWhole(usize),
    Seeded(Random),
}

impl Chunks {
    /// As large as they come.
    #[must_use]
    pub const fn whole() -> Self {
        Self(Policy::Whole)
    }

    /// Of so many bytes each; 1 is the cruellest.
    ///
    /// # Panics
    ///
    /// If that is none.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        assert!(bytes > 0, "a piece has at least one byte");
        Self(Policy::Of(bytes))
    }

    /// Cut once, after so many bytes: for trying every place.
    #[must_use]
    pub const fn cut_at(bytes: usize) -> Self {
        Self(Policy::FirstThenWhole(bytes))
    }

    /// Of lengths drawn from a seed: often short, sometimes long.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Policy::Seeded(Random::new(seed)))
    }

    /// The pieces of `data`.
    pub fn cut(mut self, data: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut left = data;
        std::iter::from_fn(move || {
            let (piece, rest) = left.split_at(self.next(left.len()));
            left = rest;
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// How long the next piece is, if so many bytes are there.
    pub(crate) fn next(&mut self, there: usize) -> usize {
        let length = match &mut self.0 {
            Policy::Whole => there,
            Policy::Of(bytes) => *bytes,
            Policy::FirstThenWhole(first) if *first > 0 => std::mem::take(first),
            Policy::FirstThenWhole(_) => there,
            Policy::Seeded(random) => 1 + random.skewed(there as u64) as usize,
        };
        length.min(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(chunks: Chunks, bytes: usize) -> Vec<usize> {
        chunks.cut(&vec![0; bytes]).map(<[u8]>::len).collect()
    }

    #[test]
    fn pieces_are_cut_as_asked() {
        assert_eq!(lengths(Chunks::whole(), 5), [5]);
        assert_eq!(lengths(Chunks::of(2), 5), [2, 2, 1]);
        assert_eq!(lengths(Chunks::cut_at(3), 5), [3, 2]);
        assert_eq!(lengths(Chunks::cut_at(0), 5), [5]);
        assert_eq!(lengths(Chunks::of(1), 0), []);
    }

    #[test]
    fn drawn_pieces_are_the_same_for_the_same_seed_and_none_is_empty() {
        let drawn = lengths(Chunks::seeded(1), 10_000);
        assert_eq!(drawn, lengths(Chunks::seeded(1), 10_000));
        assert_ne!(drawn, lengths(Chunks::seeded(2), 10_000));
        assert_eq!(drawn.iter().sum::<usize>(), 10_000);
        assert!(drawn.iter().all(|&length| length > 0));
    }
}
