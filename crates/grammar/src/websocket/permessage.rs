//! The codecs of permessage-deflate (RFC 7692 7.2).
//!
//! Without context take-over a message is compressed by itself, and a stream needs a codec only while a message is under way.
//! Codecs are large (an inflater 40 KiB, a deflater 300 KiB), so those streams share a few spare ones, by thread. What a codec
//! writes to is needed for the length of a call only, so all streams of a thread share one buffer for it.

#[cfg(feature = "deflate")]
pub(super) use self::codec::{Deflating, Inflating};
#[cfg(not(feature = "deflate"))]
pub(super) use self::none::{Deflating, Inflating};

#[cfg(feature = "deflate")]
mod codec {
    use std::cell::{Cell, RefCell};
    use std::fmt;

    use flate2::{Compress, Compression, FlushCompress};

    use super::super::Rule;
    use super::super::assembly::Assembly;
    use crate::inflate::{ExpansionLimit, InflateError, Inflated, Inflater};
    use crate::memory;

    /// What every message ends with, and what is therefore not sent (RFC 7692 7.2.1).
    const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

    /// So many spare compressors a thread keeps: for more than one size of window, and for messages that leave in pieces.
    const MOST_SPARE: usize = 4;

    /// So much of a text is decompressed before it is checked, and what is compressed is not longer if it shall fit into the same
    /// buffer of the thread.
    const STEP_BYTES: usize = 32 * 1024;

    thread_local! {
        static EXPANDER: RefCell<Option<Expander>> = const { RefCell::new(None) };
        static EXPANDERS_MADE: Cell<u64> = const { Cell::new(0) };
        static DEFLATERS: RefCell<Vec<Compressor>> = const { RefCell::new(Vec::new()) };
        static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }

    /// Lends the thread's buffer, empty.
    fn with_scratch<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut scratch = SCRATCH.take();
        let result = work(&mut scratch);
        if scratch.capacity() <= 2 * STEP_BYTES {
            scratch.clear();
            SCRATCH.set(scratch);
        } else {
            memory::give_back(scratch);
        }
        result
    }

    /// Lends a buffer for what is long.
    fn with_block<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let mut block = Vec::new();
        let result = work(&mut block);
        memory::give_back(block);
        result
    }

    /// Decompresses the messages of one direction.
    pub(in super::super) struct Inflating {
        takes_over: bool,
        codec: Option<Expander>,
        limit: ExpansionLimit,
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
            self.inflate(piece, is_text, assembly)?;
            if is_last {
                self.inflate(&TAIL, is_text, assembly)?;
                if !self.takes_over
                    && let Some(codec) = self.codec.take()
                {
                    codec.give_back();
                }
            }
            Ok(())
        }

        fn inflate(
            &mut self,
            mut data: &[u8],
            is_text: bool,
            assembly: &mut Assembly,
        ) -> Result<(), Rule> {
            let mut has_more = false;
            while has_more || !data.is_empty() {
                let Expander { inflater, .. } = self.codec.get_or_insert_with(Expander::spare);
                let step = match is_text {
                    true => inflate_text(inflater, data, &mut self.limit, assembly)?,
                    false => inflate_bytes(inflater, data, &mut self.limit, assembly)?,
                };
                data = &data[step.inflated.used..];
                if step.inflated.is_end {
                    // A final block (RFC 7692 7.2.3.4): what follows is a new stream.
                    inflater.reset();
                }
                has_more = step.has_more;
            }
            Ok(())
        }
    }

    /// A decompressor. A thread keeps one, as more are needed only while messages come in pieces, and that the oldest: those
    /// made for a burst of such messages lie behind it in the heap, whose end is given back when they are gone.
    struct Expander {
        inflater: Inflater,
        number: u64,
    }

    struct Step {
        inflated: Inflated,
        /// The codec used up its room, so it may have more.
        has_more: bool,
    }

    impl Step {
        fn new(inflated: Result<Inflated, InflateError>, out: &Vec<u8>) -> Result<Self, Rule> {
            let inflated = inflated.map_err(|error| match error {
                InflateError::TooLarge(_) => Rule::MessageTooBig,
                _ => Rule::Compression,
            })?;
            let has_more = !inflated.is_end && out.len() == out.capacity();
            Ok(Self { inflated, has_more })
        }
    }

    fn inflate_bytes(
        inflater: &mut Inflater,
        data: &[u8],
        limit: &mut ExpansionLimit,
        assembly: &mut Assembly,
    ) -> Result<Step, Rule> {
        let out = assembly.bytes_mut();
        if out.len() == out.capacity() {
            let room = match out.is_empty() {
                true => Inflater::guess(data, limit),
                false => 2 * STEP_BYTES,
            };
            memory::reserve(out, room);
        }
        Step::new(inflater.fill(data, out, limit), out)
    }

    fn inflate_text(
        inflater: &mut Inflater,
        data: &[u8],
        limit: &mut ExpansionLimit,
        assembly: &mut Assembly,
    ) -> Result<Step, Rule> {
        with_scratch(|piece| {
            piece.reserve(Inflater::guess(data, limit));
            let left = limit.left();
            let inflated = inflater.fill(data, piece, limit);
            let is_full = piece.len() == piece.capacity();
            let step = Step::new(inflated, piece);
            // What came out before the damage, or within the limit, is judged first: so any split tells the same.
            piece.truncate(left);
            let more = if is_full { u64::MAX } else { 0 };
            assembly.push_text(piece, more)?;
            if is_full {
                piece.clear();
                piece.reserve(STEP_BYTES);
            }
            step
        })
    }

    impl Expander {
        fn spare() -> Self {
            let spare = EXPANDER.with_borrow_mut(Option::take);
            spare.unwrap_or_else(|| {
                let number = EXPANDERS_MADE.get();
                EXPANDERS_MADE.set(number + 1);
                let inflater = Inflater::raw();
                Self { inflater, number }
            })
        }

        fn give_back(mut self) {
            EXPANDER.with_borrow_mut(|kept| {
                if kept.as_ref().is_none_or(|kept| kept.number > self.number) {
                    self.inflater.reset();
                    *kept = Some(self);
                }
            });
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
            let send = |out: &mut Vec<u8>| {
                codec.compress(data, is_last, out);
                send(out);
            };
            match data.len() < STEP_BYTES {
                true => with_scratch(send),
                false => with_block(send),
            }
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
                }
            })
        }

        fn give_back(mut self) {
            DEFLATERS.with_borrow_mut(|spare| {
                if spare.len() == MOST_SPARE {
                    spare.swap_remove(0);
                }
                self.codec.reset();
                spare.push(self);
            });
        }

        fn compress(&mut self, data: &[u8], is_last: bool, out: &mut Vec<u8>) {
            let mut used = 0;
            loop {
                // Enough for most bytes that cannot be compressed and for the end of a block; what is long gets more when it needs it.
                let left = data.len() - used;
                memory::reserve(out, (left + left / 512 + 64).min(2 * STEP_BYTES));
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
