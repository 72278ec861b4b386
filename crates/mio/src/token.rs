//! What a readiness event is about, packed into the number that the kernel hands back.
//!
//! ```text
//!   63            32 31 30 29          0
//!   ┌───────────────┬──┬──┬────────────┐    L: a listener
//!   │ generation    │L │D │ index      │    D: a datagram port
//!   └───────────────┴──┴──┴────────────┘    neither: a stream; both: a watch
//! ```
//!
//! The generation makes a late event for a closed socket find nothing (mio CVE-2024-27308, SECURITY H1-28). With 32
//! bits of it a place must be used four thousand million times while one event waits, before it could be mistaken.

use mio::Token;
use ropewalk_core::slots::Key;

const _: () = assert!(
    usize::BITS >= 64,
    "a token carries a whole key: 64-bit systems only"
);

const LISTENER: usize = 1 << 31;
const DATAGRAMS: usize = 1 << 30;
const INDEX: usize = DATAGRAMS - 1;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stream(Key),
    Listener(Key),
    Datagrams(Key),
    Watch(Key),
    Waker,
    Signals,
}

impl Target {
    const WAKER: Token = Token(usize::MAX);
    const SIGNALS: Token = Token(usize::MAX - 1);

    #[inline]
    pub(crate) fn token(self) -> Token {
        match self {
            Self::Stream(key) => Token(pack(key)),
            Self::Listener(key) => Token(pack(key) | LISTENER),
            Self::Datagrams(key) => Token(pack(key) | DATAGRAMS),
            Self::Watch(key) => Token(pack(key) | LISTENER | DATAGRAMS),
            Self::Waker => Self::WAKER,
            Self::Signals => Self::SIGNALS,
        }
    }

    #[inline]
    pub(crate) const fn of(token: Token) -> Self {
        match token {
            Self::WAKER => Self::Waker,
            Self::SIGNALS => Self::Signals,
            Token(packed) => {
                let key = Key::new((packed & INDEX) as u32, (packed >> 32) as u32);
                match (packed & LISTENER != 0, packed & DATAGRAMS != 0) {
                    (false, false) => Self::Stream(key),
                    (true, false) => Self::Listener(key),
                    (false, true) => Self::Datagrams(key),
                    (true, true) => Self::Watch(key),
                }
            }
        }
    }
}

/// Indexes stay far below 2³⁰ because each is an open descriptor, and the kernel has fewer.
#[inline]
fn pack(key: Key) -> usize {
    debug_assert!(
        (key.index() as usize) < INDEX - 1,
        "more sockets than descriptors"
    );
    (key.generation() as usize) << 32 | key.index() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_gives_back_its_target() {
        let keys = [
            Key::new(0, 0),
            Key::new(1, u32::MAX),
            Key::new(INDEX as u32 - 2, u32::MAX),
        ];
        for key in keys {
            for target in [
                Target::Stream(key),
                Target::Listener(key),
                Target::Datagrams(key),
                Target::Watch(key),
            ] {
                assert_eq!(Target::of(target.token()), target);
            }
        }
        assert_eq!(Target::of(Target::Waker.token()), Target::Waker);
        assert_eq!(Target::of(Target::Signals.token()), Target::Signals);
    }

    #[test]
    fn another_generation_is_another_token() {
        let (old, new) = (Key::new(7, 1), Key::new(7, 2));
        assert_ne!(Target::Stream(old).token(), Target::Stream(new).token());
        assert_ne!(Target::Stream(old).token(), Target::Listener(old).token());
    }
}
