//! The codecs of permessage-deflate (RFC 7692 7.2).
//!
//! Without context take-over a message is compressed by itself, and a stream needs a codec only while a message is under way.
//! Codecs are large (an inflater 40 KiB, a deflater 300 KiB), so those streams share a few spare ones, by thread.

#[cfg(feature = "deflate")]
pub(super) use self::codec::{Deflating, Inflating};
#[cfg(not(feature = "deflate"))]
pub(super) use self::none::{Deflating, Inflating};

#[cfg(feature = "deflate")]
mod codec {
    use std::cell::RefCell;
    use std::fmt;

    use flate2::{Compress, Compression, FlushCompress};

    use super::super::Rule;
    use super::super::assembly::{Assembly, let_go};
    use crate::inflate::{ExpansionLimit, InflateError, Inflater};

    /// What every message ends with, and what is therefore not sent (RFC 7692 7.2.1).
    const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

    /// So many spare codecs a thread keeps; more than one only if messages come in pieces.
    const MOST_SPARE: usize = 4;

    /// A buffer larger than this is not kept.
    const KEPT_BYTES: usize = 64 * 1024;

    thread_local! {
        static INFLATERS: RefCell<Vec<Expander>> = const { RefCell::new(Vec::new()) };
        static DEFLATERS: RefCell<Vec<Compressor>> = const { RefCell::new(Vec::new()) };
    }

    /// Decompresses the messages of one direction.
    pub(in super::super) struct Inflating {
        takes_over: bool,
        codec: Option<Expander>,
        limit: ExpansionLimit,
    }

    struct Expander {
        inflater: Inflater,
        /// The last piece of a text, decompressed.
        piece: Vec<u8>,
    }

    impl Inflating {
        pub(in super::super) fn new(takes_over: bool) -> Self {
            Self {
                takes_over,
                codec: None,
                limit: ExpansionLimit::new(0),
            }
        }

        pub(in super::super) fn begin(&mut self, limit_bytes: usize) {
            self.limit = ExpansionLimit::new(limit_bytes);
        }

        /// Decompresses the next bytes of a message to the end of `assembly`.
        pub(in super::super) fn read(
            &mut self,
            piece: &[u8],
            is_last: bool,
            is_text: bool,
            assembly: &mut Assembly,
        ) -> Result<(), Rule> {
            let limit = &mut self.limit;
            let codec = self.codec.get_or_insert_with(Expander::spare);
            codec.read(piece, limit, is_text, assembly)?;
            if is_last {
                codec.read(&TAIL, limit, is_text, assembly)?;
                if !self.takes_over
                    && let Some(codec) = self.codec.take()
                {
                    codec.give_back();
                }
            }
            Ok(())
        }
    }

    impl Expander {
        fn spare() -> Self {
            INFLATERS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Self {
                inflater: Inflater::raw(),
                piece: Vec::new(),
            })
        }

        fn give_back(mut self) {
            INFLATERS.with_borrow_mut(|spare| {
                if spare.len() < MOST_SPARE {
                    self.inflater.reset();
                    if self.piece.capacity() > KEPT_BYTES {
                        let_go(std::mem::take(&mut self.piece));
                    }
                    spare.push(self);
                }
            });
        }

        fn read(
            &mut self,
            mut data: &[u8],
            limit: &mut ExpansionLimit,
            is_text: bool,
            assembly: &mut Assembly,
        ) -> Result<(), Rule> {
            while !data.is_empty() {
                self.piece.clear();
                let out = match is_text {
                    true => &mut self.piece,
                    false => assembly.bytes_mut(),
                };
                let left = limit.left();
                let inflated = self.inflater.inflate(data, out, limit);
                if is_text {
                    // What came out before the damage, or within the limit, is judged first: so any split tells the same.
                    self.piece.truncate(left);
                    assembly.push_text(&self.piece, 0)?;
                }
                let inflated = inflated.map_err(|error| match error {
                    InflateError::TooLarge(_) => Rule::MessageTooBig,
                    _ => Rule::Compression,
                })?;
                data = &data[inflated.used..];
                if inflated.is_end {
                    // A final block (RFC 7692 7.2.3.4): what follows is a new stream.
                    self.inflater.reset();
                }
            }
            Ok(())
        }
    }

    /// Compresses the messages of one direction.
    pub(in super::super) struct Deflating {
        takes_over: bool,
        window_bits: u8,
        level: u8,
        codec: Option<Compressor>,
    }

    struct Compressor {
        codec: Compress,
        window_bits: u8,
        level: u8,
        piece: Vec<u8>,
    }

    impl Deflating {
        pub(in super::super) fn new(takes_over: bool, window_bits: u8, level: u8) -> Self {
            Self {
                takes_over,
                window_bits,
                level,
                codec: None,
            }
        }

        /// Compresses a piece of a message, and lends it to `send`.
        pub(in super::super) fn send(
            &mut self,
            data: &[u8],
            is_last: bool,
            send: impl FnOnce(&mut Vec<u8>),
        ) {
            let (window_bits, level) = (self.window_bits, self.level);
            let codec = self
                .codec
                .get_or_insert_with(|| Compressor::spare(window_bits, level));
            codec.compress(data, is_last);
            send(&mut codec.piece);
            if is_last && !self.takes_over {
                self.forget();
            }
        }

        pub(in super::super) fn window_bits(&self) -> u8 {
            self.window_bits
        }

        /// The next message refers to nothing before it.
        pub(in super::super) fn forget(&mut self) {
            if let Some(codec) = self.codec.take() {
                codec.give_back();
            }
        }
    }

    impl Compressor {
        fn spare(window_bits: u8, level: u8) -> Self {
            let fits = |spare: &Self| (spare.window_bits, spare.level) == (window_bits, level);
            let spare = DEFLATERS.with_borrow_mut(|all| {
                let at = all.iter().rposition(fits)?;
                Some(all.swap_remove(at))
            });
            spare.unwrap_or_else(|| {
                let level_of = Compression::new(u32::from(level));
                Self {
                    codec: Compress::new_with_window_bits(level_of, false, window_bits),
                    window_bits,
                    level,
                    piece: Vec::new(),
                }
            })
        }

        fn give_back(mut self) {
            DEFLATERS.with_borrow_mut(|spare| {
                if spare.len() == MOST_SPARE {
                    spare.swap_remove(0);
                }
                self.codec.reset();
                self.piece.clear();
                if self.piece.capacity() > KEPT_BYTES {
                    let_go(std::mem::take(&mut self.piece));
                }
                spare.push(self);
            });
        }

        fn compress(&mut self, data: &[u8], is_last: bool) {
            let out = &mut self.piece;
            out.clear();
            let mut used = 0;
            loop {
                // Enough for bytes that cannot be compressed and for the end of a block; the codec fills no more.
                out.reserve((data.len() - used) + (data.len() - used) / 512 + 64);
                let before = self.codec.total_in();
                let done = self
                    .codec
                    .compress_vec(&data[used..], out, FlushCompress::Sync);
                done.expect("a compressor that is not finished takes any bytes");
                used += (self.codec.total_in() - before) as usize;
                if used == data.len() && out.len() < out.capacity() {
                    break;
                }
            }
            if is_last {
                if out.ends_with(&TAIL) {
                    out.truncate(out.len() - TAIL.len());
                }
                if out.is_empty() {
                    out.push(0); // an empty block, as RFC 7692 7.2.3.6 has it
                }
            }
        }
    }

    impl fmt::Debug for Inflating {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let takes_over = &self.takes_over;
            f.debug_struct("Inflating")
                .field("takes_over", takes_over)
                .finish_non_exhaustive()
        }
    }

    impl fmt::Debug for Deflating {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let takes_over = &self.takes_over;
            f.debug_struct("Deflating")
                .field("takes_over", takes_over)
                .finish_non_exhaustive()
        }
    }
}

#[cfg(not(feature = "deflate"))]
mod none {
    use super::super::Rule;
    use super::super::assembly::Assembly;

    /// Nothing is ever compressed.
    #[derive(Debug)]
    pub(in super::super) enum Inflating {}

    /// Nothing is ever compressed.
    #[derive(Debug)]
    pub(in super::super) enum Deflating {}

    impl Inflating {
        pub(in super::super) fn begin(&mut self, _limit_bytes: usize) {
            match *self {}
        }

        pub(in super::super) fn read(
            &mut self,
            _piece: &[u8],
            _is_last: bool,
            _is_text: bool,
            _assembly: &mut Assembly,
        ) -> Result<(), Rule> {
            match *self {}
        }
    }

    impl Deflating {
        pub(in super::super) fn send(
            &mut self,
            _data: &[u8],
            _is_last: bool,
            _send: impl FnOnce(&mut Vec<u8>),
        ) {
            match *self {}
        }

        pub(in super::super) fn window_bits(&self) -> u8 {
            match *self {}
        }

        pub(in super::super) fn forget(&mut self) {
            match *self {}
        }
    }
}
