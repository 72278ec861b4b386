//! The file that gets a line per request.
//!
//! Lines of one turn are written at its end, in one piece: at a time of much to do one write serves many requests, and nobody who
//! looks at the file waits for it to fill.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use ropewalk::{Failure, Handle};

use crate::log::{LogFile, Rotation};

#[derive(Clone)]
pub(super) struct AccessFile(Rc<Inner>);

struct Inner {
    reactor: Handle,
    file: RefCell<LogFile>,
    lines: RefCell<Vec<u8>>,
    has_failed: Cell<bool>,
}

/// So much is not kept until the end of the turn.
const FULL_BYTES: usize = 64 * 1024;

impl AccessFile {
    /// Opens the file, now and at each SIGHUP; of those before a rotation so many are kept.
    pub(super) fn open(
        path: &Path,
        rotation: Option<Rotation>,
        keep: u32,
        reactor: &Handle,
    ) -> Result<Self, Failure> {
        let file = LogFile::open(path, rotation, keep).map_err(|error| {
            Failure::message(format!("the access log {path:?} cannot be opened: {error}"))
        })?;
        let file = Self(Rc::new(Inner {
            reactor: reactor.clone(),
            file: RefCell::new(file),
            lines: RefCell::default(),
            has_failed: Cell::new(false),
        }));
        let inner = Rc::downgrade(&file.0);
        reactor.on_hangup(move |_| {
            if let Some(inner) = inner.upgrade() {
                inner.reopen();
            }
        });
        Ok(file)
    }

    pub(super) fn write(&self, line: &[u8]) {
        let length = {
            let mut lines = self.0.lines.borrow_mut();
            lines.extend_from_slice(line);
            lines.len()
        };
        if length >= FULL_BYTES {
            self.0.flush();
        } else if length == line.len() {
            let inner = Rc::clone(&self.0);
            self.0.reactor.call_soon(move |_| inner.flush());
        }
    }
}

impl Inner {
    fn flush(&self) {
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            return;
        }
        let written = self.file.borrow_mut().write_line(&lines, SystemTime::now());
        lines.clear();
        match written {
            Ok(None) => self.has_failed.set(false),
            Ok(Some(error)) => {
                tracing::warn!(%error, "the access log goes on in the old file, as there can be no new one");
            }
            Err(error) if !self.has_failed.replace(true) => {
                tracing::error!(%error, "the access log cannot be written; the service goes on");
            }
            Err(_) => {}
        }
    }

    fn reopen(&self) {
        self.flush();
        if let Err(error) = self.file.borrow_mut().reopen() {
            tracing::error!(%error, "the access log cannot be opened anew; the old one is gone on with");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flush();
    }
}
