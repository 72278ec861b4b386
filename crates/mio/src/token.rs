//! What a readiness event is about, packed into the number that the kernel hands back.
//!
//! ```text
//!   63            32 31  29 28         0
//!   ┌───────────────┬──────┬───────────┐
//!   │ generation    │ kind │ index     │
//!   └───────────────┴──────┴───────────┘
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

const INDEX: usize = (1 << 29) - 1;
const KIND: usize = 0b111 << 29;
const STREAM: usize = 0;
const LISTENER: usize = 1 << 29;
const DATAGRAMS: usize = 2 << 29;
const WATCH: usize = 3 << 29;
const CHILD: usize = 4 << 29;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stream(Key),
    Listener(Key),
    Datagrams(Key),
    Watch(Key),
    Child(Key),
    Waker,
    Signals,
    /// Some child has exited.
    Exits,
}

impl Target {
    const WAKER: Token = Token(usize::MAX);
    const SIGNALS: Token = Token(usize::MAX - 1);
    const EXITS: Token = Token(usize::MAX - 2);

    #[inline]
    pub(crate) fn token(self) -> Token {
        match self {
            Self::Stream(key) => Token(pack(key) | STREAM),
            Self::Listener(key) => Token(pack(key) | LISTENER),
            Self::Datagrams(key) => Token(pack(key) | DATAGRAMS),
            Self::Watch(key) => Token(pack(key) | WATCH),
            Self::Child(key) => Token(pack(key) | CHILD),
            Self::Waker => Self::WAKER,
            Self::Signals => Self::SIGNALS,
            Self::Exits => Self::EXITS,
        }
    }

    #[inline]
    pub(crate) const fn of(token: Token) -> Self {
        match token {
            Self::WAKER => Self::Waker,
            Self::SIGNALS => Self::Signals,
            Self::EXITS => Self::Exits,
            Token(packed) => {
                let key = Key::new((packed & INDEX) as u32, (packed >> 32) as u32);
                match packed & KIND {
                    LISTENER => Self::Listener(key),
                    DATAGRAMS => Self::Datagrams(key),
                    WATCH => Self::Watch(key),
                    CHILD => Self::Child(key),
                    _ => Self::Stream(key),
                }
            }
        }
    }
}

/// Indexes stay far below 2²⁹ because each is an open descriptor, and the kernel has fewer.
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
                Target::Child(key),
            ] {
                assert_eq!(Target::of(target.token()), target);
            }
        }
        assert_eq!(Target::of(Target::Waker.token()), Target::Waker);
        assert_eq!(Target::of(Target::Signals.token()), Target::Signals);
        assert_eq!(Target::of(Target::Exits.token()), Target::Exits);
    }

    #[test]
    fn another_generation_is_another_token() {
        let (old, new) = (Key::new(7, 1), Key::new(7, 2));
        assert_ne!(Target::Stream(old).token(), Target::Stream(new).token());
        assert_ne!(Target::Stream(old).token(), Target::Listener(old).token());
    }
}
