//! Masking (RFC 6455 5.3).
//!
//! Word by word, in a form that the compiler makes vectors of: 64 KiB cost 1.2 µs, byte by byte 9.5 µs where the key is a constant
//! and 45 µs where it is not; `ropewalk-bench ws-mask` measures this file beside the byte loop.

use super::sha1::sha1;

/// A masking key; it is applied to the payload of one frame, over and over.
pub(super) type Key = [u8; 4];

/// Masks or unmasks `bytes`, of which the first is byte `phase` of the payload.
#[inline]
pub(super) fn mask(bytes: &mut [u8], key: Key, phase: u64) {
    let word = u32::from_ne_bytes(key);
    let shift = 8 * (phase % 4) as u32;
    let key = match cfg!(target_endian = "little") {
        true => word.rotate_right(shift),
        false => word.rotate_left(shift),
    };
    let double = u64::from(key) << 32 | u64::from(key);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ double).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(double.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// The masking keys of one client, which nobody who lacks the secret can foretell: else a server could make a client send
/// bytes of the server's choice past a careless proxy (RFC 6455 10.3).
///
/// SHA-1 of the secret and a counter; five keys of each.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    secret: [u8; 16],
    counter: u64,
    spare: [Key; 5],
    left: u8,
}

impl Keys {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self {
            secret,
            counter: 0,
            spare: [[0; 4]; 5],
            left: 0,
        }
    }

    #[inline]
    pub(super) fn next(&mut self) -> Key {
        if self.left == 0 {
            self.refill();
        }
        self.left -= 1;
        self.spare[usize::from(self.left)]
    }

    fn refill(&mut self) {
        let mut block = [0; 24];
        block[..16].copy_from_slice(&self.secret);
        block[16..].copy_from_slice(&self.counter.to_le_bytes());
        self.counter += 1;
        let digest = sha1(&block);
        for (key, bytes) in self.spare.iter_mut().zip(digest.as_chunks::<4>().0) {
            *key = *bytes;
        }
        self.left = self.spare.len() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_is_that_of_the_byte_loop_at_any_length_and_phase() {
        for length in 0..70 {
            for phase in 0..9 {
                let mut bytes: Vec<u8> = (0..length).collect();
                let key = [0x37, 0xfa, 0x21, 0x3d];
                let expected: Vec<u8> = (0..length)
                    .map(|at| at ^ key[(usize::from(at) + phase) % 4])
                    .collect();
                mask(&mut bytes, key, phase as u64);
                assert_eq!(bytes, expected, "{length} from {phase}");
            }
        }
    }

    #[test]
    fn keys_differ_and_repeat_with_their_secret() {
        let keys = |secret| {
            let mut keys = Keys::new(secret);
            std::array::from_fn::<Key, 12, _>(|_| keys.next())
        };
        let ours = keys([1; 16]);
        assert_eq!(ours, keys([1; 16]));
        assert_ne!(ours, keys([2; 16]));
        assert!((1..12).all(|at| !ours[..at].contains(&ours[at])));
    }
}
