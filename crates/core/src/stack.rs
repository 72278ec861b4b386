//! The layers of one connection, and every buffer between them.
//!
//! ```text
//!            up: recursion, in place              down: top to bottom, once per flush
//!   driver ─► [0].receive ─► [1].receive ─► protocol
//!   wire   ◄─ [0].down    ◄─ [1].down    ◄─ queue of the link
//! ```
//!
//! A plain connection has no stack at all, and pays nothing for this file.

use std::io;
use std::mem::take;
use std::time::Duration;

use crate::buffer::{Outgoing, Pool};
use crate::facts::Facts;
use crate::layer::{Allowance, Direction, Layer, LayerError};

/// How many bytes of the queue run down at most between two questions for a layer's allowance.
const PIECE_BYTES: usize = 16 * 1024;

/// From so many bytes on that wait for the driver, nothing more runs down: a broadcast to slow readers shall stay one shared
/// chunk, and not become a transformed copy for each.
const AHEAD_BYTES: usize = 128 * 1024;

#[derive(Default)]
pub(crate) struct Stack {
    layers: Vec<Slot>,
    /// What goes to the driver.
    pub(crate) wire: Outgoing,
    /// What came from the driver and must wait, because a layer shapes.
    pub(crate) late: Vec<u8>,
    closed: bool,
    /// Nothing more comes up.
    ended: bool,
    /// A layer failed: what it has to say is still sent, and nothing else.
    pub(crate) failed: bool,
}

struct Slot {
    layer: Box<dyn Layer>,
    down: Vec<u8>,
    started: bool,
    told: bool,
}

impl Stack {
    pub(crate) fn push(&mut self, layer: Box<dyn Layer>) {
        self.layers.push(Slot {
            layer,
            down: Vec::new(),
            started: false,
            told: false,
        });
    }

    /// Begins every layer whose layer below is open; true when all are open. What those found out that opened goes to
    /// `facts`.
    pub(crate) fn open(&mut self, facts: &mut Facts) -> Result<bool, LayerError> {
        for slot in &mut self.layers {
            if !slot.started {
                slot.started = true;
                slot.layer.start(&mut slot.down)?;
            }
            if !slot.layer.is_open() {
                return Ok(false);
            }
            if !slot.told {
                slot.told = true;
                slot.layer.facts(facts);
            }
        }
        Ok(true)
    }

    /// Lends the layer that is opening a buffer for what it has to say, which no layer ought to allocate: what is sent goes to
    /// the pool, and would fill it.
    pub(crate) fn lend(&mut self, pool: &mut Pool) {
        let opening = self.layers.iter_mut().find(|slot| !slot.layer.is_open());
        if let Some(slot) = opening
            && slot.down.capacity() == 0
        {
            slot.down = pool.lend();
        }
    }

    /// The layer that is not open yet, for the log.
    pub(crate) fn opening(&self) -> Option<&'static str> {
        self.layers
            .iter()
            .find(|slot| !slot.layer.is_open())
            .map(|slot| slot.layer.name())
    }

    /// Runs bytes from the driver up; what comes out on top goes to `deliver`.
    pub(crate) fn receive(
        &mut self,
        data: &mut [u8],
        deliver: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), LayerError> {
        run_up(&mut self.layers, data, deliver)
    }

    /// Runs bytes up that the layers below the top one have seen already.
    pub(crate) fn receive_at_top(
        &mut self,
        data: &mut [u8],
        deliver: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), LayerError> {
        let top = self.layers.len().saturating_sub(1);
        if data.is_empty() {
            Ok(())
        } else {
            run_up(&mut self.layers[top..], data, deliver)
        }
    }

    /// Runs the protocol's queue down as far as the layers allow and the driver is not too far behind; gives how long the
    /// rest must wait.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(crate) fn send(
        &mut self,
        queue: &mut Outgoing,
        now: Duration,
        pool: &mut Pool,
    ) -> io::Result<Option<Duration>> {
        let mut delay = None;
        while delay.is_none() && !queue.is_empty() && self.ahead() < AHEAD_BYTES {
            queue.read_file(pool)?;
            let want = queue.first().len().min(PIECE_BYTES);
            match self.allow(Direction::Down, want, now) {
                Allowance::Bytes(count) => self.send_piece(queue, count, pool),
                Allowance::Wait(wait) => delay = Some(wait),
            }
        }
        self.run_down(pool);
        Ok(delay)
    }

    /// How many bytes are on their way down already.
    fn ahead(&self) -> usize {
        self.wire.len() + self.layers.last().map_or(0, |top| top.down.len())
    }

    /// Runs `count` bytes of the protocol's queue down, whether the layers allow it or not.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(crate) fn send_at_once(
        &mut self,
        queue: &mut Outgoing,
        mut count: usize,
        pool: &mut Pool,
    ) -> io::Result<()> {
        while count > 0 && !queue.is_empty() {
            queue.read_file(pool)?;
            let piece = queue.first().len().min(PIECE_BYTES).min(count);
            self.send_piece(queue, piece, pool);
            count -= piece;
        }
        self.run_down(pool);
        Ok(())
    }

    fn send_piece(&mut self, queue: &mut Outgoing, length: usize, pool: &mut Pool) {
        let piece = &queue.first()[..length];
        match self.layers.last_mut() {
            Some(top) => top.send(piece, pool),
            None => self.wire.write(piece, pool),
        }
        queue.advance(length, pool);
    }

    /// Moves what the layers have to say down to the wire.
    pub(crate) fn run_down(&mut self, pool: &mut Pool) {
        for index in (0..self.layers.len()).rev() {
            let (below, from_here) = self.layers.split_at_mut(index);
            let down = take(&mut from_here[0].down);
            match below.last_mut() {
                _ if down.is_empty() => pool.give_back(down),
                None => self.wire.write_buffer(down, pool),
                Some(slot) => {
                    slot.send(&down, pool);
                    pool.give_back(down);
                }
            }
        }
    }

    /// Lets every layer say goodbye, from the top; once.
    pub(crate) fn close(&mut self, pool: &mut Pool) {
        if self.closed {
            return;
        }
        self.closed = true;
        for index in (0..self.layers.len()).rev() {
            let slot = &mut self.layers[index];
            slot.layer.close(&mut slot.down);
            self.run_down(pool);
        }
    }

    /// Whether every layer said goodbye, and its peer did.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed && self.layers.iter().all(|slot| slot.layer.is_closed())
    }

    /// The stream from the driver ended.
    pub(crate) fn eof(&mut self) -> Result<(), LayerError> {
        self.end_above(0)
    }

    /// Whether a layer's peer said goodbye; the layers above it are then told, once.
    pub(crate) fn is_ended(&mut self) -> Result<bool, LayerError> {
        let ended = |slot: &Slot| slot.layer.is_ended();
        if let Some(index) = self.layers.iter().position(ended) {
            self.end_above(index + 1)?;
        }
        Ok(self.ended)
    }

    fn end_above(&mut self, index: usize) -> Result<(), LayerError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let above = &mut self.layers[index..];
        above.iter_mut().try_for_each(|slot| slot.layer.eof())
    }

    /// How many of `want` bytes every layer lets pass; else the longest time that one of them asks for.
    pub(crate) fn allow(&mut self, direction: Direction, want: usize, now: Duration) -> Allowance {
        let (mut count, mut longest) = (want, None);
        for slot in &mut self.layers {
            match slot.layer.allow(direction, count, now) {
                Allowance::Bytes(fewer) => count = fewer.clamp(1, count),
                Allowance::Wait(delay) => longest = longest.max(Some(delay)),
            }
        }
        longest.map_or(Allowance::Bytes(count), Allowance::Wait)
    }
}

impl Slot {
    fn send(&mut self, data: &[u8], pool: &mut Pool) {
        if self.down.capacity() == 0 {
            self.down = pool.lend();
        }
        self.layer.send(data, &mut self.down);
    }
}

fn run_up(
    layers: &mut [Slot],
    data: &mut [u8],
    deliver: &mut dyn FnMut(&mut [u8]),
) -> Result<(), LayerError> {
    let Some((slot, above)) = layers.split_first_mut() else {
        deliver(data);
        return Ok(());
    };
    if !slot.started {
        // The layer below has just opened, and this one's peer was quicker than our turn.
        slot.started = true;
        slot.layer.start(&mut slot.down)?;
    }
    let mut outcome = Ok(());
    slot.layer.receive(
        data,
        &mut |data| {
            if outcome.is_ok() && !data.is_empty() {
                outcome = run_up(above, data, deliver);
            }
        },
        &mut slot.down,
    )?;
    outcome
}
