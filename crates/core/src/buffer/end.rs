//! The end of a queue, lent to whoever says things into a `Vec`.

use super::{COPY_BELOW_BYTES, Chunk, Head, Outgoing, Pool};

/// The end of a queue, taken out to be appended to.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) buffer: Vec<u8>,
    written: usize,
    /// How many descriptors wait before what will be appended.
    passing: usize,
    /// Whether it is the whole queue; else it is a new buffer, to be copied behind the chunks.
    pub(super) is_head: bool,
}

impl Outgoing {
    /// Takes out the buffer at the end of the queue, so that bytes can be appended right where they shall lie.
    ///
    /// [`put_back`](Self::put_back) must follow. What is written meanwhile comes behind it.
    #[inline]
    pub(crate) fn take_end(&mut self, pool: &mut Pool) -> End {
        self.own_head(pool);
        let is_head = self.rest.is_empty();
        let mut buffer = if is_head {
            self.head.take()
        } else {
            Vec::new()
        };
        self.len -= buffer.len() - if is_head { self.sent } else { 0 };
        if buffer.capacity() == 0 {
            buffer = pool.lend();
        }
        End {
            written: buffer.len(),
            passing: self.passing.as_ref().map_or(0, |passing| passing.len()),
            is_head,
            buffer,
        }
    }

    /// Puts back what [`take_end`](Self::take_end) took, longer by what was appended.
    #[inline]
    pub(crate) fn put_back(&mut self, end: End, pool: &mut Pool) {
        assert!(
            end.buffer.len() >= end.written,
            "Transport::write_with: the closure took bytes away; it may only append"
        );
        if end.is_head && self.is_bare() && end.buffer.len() > self.sent {
            self.len = end.buffer.len() - self.sent;
            self.head = Head::Own(end.buffer);
        } else {
            self.put_before(end, pool);
        }
    }

    /// Whether there is no buffer, and nothing else.
    #[inline]
    fn is_bare(&self) -> bool {
        self.len == 0 && self.head.is_none() && self.passing.is_none()
    }

    /// Puts it before what was written meanwhile.
    fn put_before(&mut self, end: End, pool: &mut Pool) {
        let End {
            buffer,
            passing,
            is_head,
            ..
        } = end;
        if !is_head {
            self.write(&buffer, pool);
            return pool.give_back(buffer);
        }
        let newer = std::mem::replace(&mut self.head, Head::Own(buffer));
        let before = self.head.len() - self.sent;
        self.len += before;
        if newer.is_none() && before > 0 && self.passing.is_none() {
            return;
        }
        if let Some(newer) = &mut self.passing {
            newer.move_back(passing, before);
        }
        match newer {
            Head::Shared(data) if data.len() >= COPY_BELOW_BYTES => {
                self.rest.push_front(Chunk::Shared(data));
            }
            newer => {
                self.head.borrowed(pool).extend_from_slice(&newer);
                newer.give_back(pool);
            }
        }
        if self.head.is_empty() {
            std::mem::take(&mut self.head).give_back(pool);
        }
    }
}
