//! Small files in memory, each checked against the disk before it is served.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use ropewalk_core::buffer::FileSource;

use crate::conditional::ETag;
use crate::content_type::FileType;
use crate::file_tree::{FileStat, FileTree};
use crate::http_date::HttpDate;

/// Files up to this length are kept; of larger ones, opening is the smaller part of the cost.
const SMALL_BYTES: u64 = 64 * 1024;

/// How much is kept: a client that asks for every file of a large tree must not fill the memory.
const LIMIT_BYTES: usize = 32 << 20;

/// What an entry costs beside its bytes, or empty files would be free.
const ENTRY_BYTES: usize = 512;

/// A file that changed so recently may change again without another date: clocks of disks are coarse.
const SETTLED: Duration = Duration::from_secs(2);

/// A file to be served, and all that its headers say.
pub(super) struct Served {
    pub(super) content: Content,
    pub(super) stat: FileStat,
    pub(super) etag: ETag,
    pub(super) etag_value: HeaderValue,
    pub(super) modified: HeaderValue,
    pub(super) content_type: HeaderValue,
    pub(super) encoding: Option<HeaderValue>,
}

#[derive(Clone)]
pub(super) enum Content {
    Memory(Bytes),
    File(Rc<dyn FileSource>),
}

impl Served {
    pub(super) fn new(
        path: &str,
        source: Rc<dyn FileSource>,
        stat: FileStat,
        default_type: &HeaderValue,
    ) -> Self {
        let (content_type, encoding) = type_of(path, default_type);
        let etag = ETag::of_file(stat.length, stat.modified);
        Self {
            content: Content::File(source),
            stat,
            etag_value: value(&etag),
            etag,
            modified: value(HttpDate::new(stat.modified)),
            content_type,
            encoding: encoding.map(HeaderValue::from_static),
        }
    }

    /// The same content, as a compressed form of another file.
    pub(super) fn in_place_of(&self, plain: &Self, coding: &str) -> Self {
        let tag = format!("{}-{coding}", self.etag.to_string().trim_matches('"'));
        let etag = ETag::strong(&tag).expect("a tag and a name of a coding make a tag");
        Self {
            content: self.content.clone(),
            stat: self.stat,
            etag_value: value(&etag),
            etag,
            modified: self.modified.clone(),
            content_type: plain.content_type.clone(),
            encoding: Some(value(coding)),
        }
    }

    /// Reads it into memory; `false` if it is not what the disk said that it is.
    fn read(&mut self) -> bool {
        let Content::File(source) = &self.content else {
            return true;
        };
        let (mut bytes, mut filled) = (vec![0; self.stat.length as usize], 0);
        while filled < bytes.len() {
            match source.read_at(&mut bytes[filled..], filled as u64) {
                Ok(0) | Err(_) => return false,
                Ok(count) => filled += count,
            }
        }
        self.content = Content::Memory(bytes.into());
        true
    }
}

fn value(text: impl ToString) -> HeaderValue {
    HeaderValue::try_from(text.to_string()).expect("dates, tags and codings have no controls")
}

/// Type and encoding, by the ending (R156).
fn type_of(path: &str, default_type: &HeaderValue) -> (HeaderValue, Option<&'static str>) {
    let told = FileType::of_name(path);
    if told.content_encoding().is_none() {
        // Of a name that says nothing else, the ending still says how it is packed.
        let name = path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        for (known, encoding) in [("gz", "gzip"), ("bz2", "bzip2")] {
            if ending.eq_ignore_ascii_case(known) {
                return (default_type.clone(), Some(encoding));
            }
        }
    }
    let content_type = told.content_type().map(value);
    (
        content_type.unwrap_or_else(|| default_type.clone()),
        told.content_encoding(),
    )
}

/// Files by their paths. When it is full, those go first that came first and were not asked for since.
pub(super) struct Cache {
    limit_bytes: usize,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    files: HashMap<Rc<str>, Kept>,
    order: VecDeque<Rc<str>>,
    bytes: usize,
}

struct Kept {
    served: Rc<Served>,
    was_asked: bool,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(LIMIT_BYTES)
    }
}

impl Cache {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            state: RefCell::default(),
        }
    }

    /// What is kept of a path, if the tree says that it is the same still.
    pub(super) fn get(&self, path: &str, tree: &dyn FileTree) -> Option<Rc<Served>> {
        let mut state = self.state.borrow_mut();
        let kept = state.files.get_mut(path)?;
        if tree.stat(path).is_ok_and(|stat| stat == kept.served.stat) {
            kept.was_asked = true;
            return Some(Rc::clone(&kept.served));
        }
        state.forget(path);
        None
    }

    /// Reads a small file, and keeps it if it did not change meanwhile.
    pub(super) fn keep(
        &self,
        path: &str,
        mut served: Served,
        tree: &dyn FileTree,
        now: SystemTime,
    ) -> Rc<Served> {
        let stat = served.stat;
        let age = now.duration_since(stat.modified);
        let is_settled = age.is_ok_and(|age| age >= SETTLED);
        let cost = cost_of(path, stat.length as usize);
        let is_small = stat.length <= SMALL_BYTES && cost <= self.limit_bytes;
        if !(is_small && is_settled && served.read()) {
            return Rc::new(served);
        }
        let served = Rc::new(served);
        if tree.stat(path).is_ok_and(|now| now == stat) {
            let mut state = self.state.borrow_mut();
            state.make_room(self.limit_bytes - cost);
            state.insert(path.into(), Rc::clone(&served), cost);
        }
        served
    }
}

fn cost_of(path: &str, length: usize) -> usize {
    length + path.len() + ENTRY_BYTES
}

impl State {
    fn insert(&mut self, path: Rc<str>, served: Rc<Served>, cost: usize) {
        self.bytes += cost;
        self.order.push_back(Rc::clone(&path));
        let kept = Kept {
            served,
            was_asked: false,
        };
        self.files.insert(path, kept);
    }

    fn forget(&mut self, path: &str) {
        self.order.retain(|other| **other != *path);
        self.remove(path);
    }

    fn remove(&mut self, path: &str) {
        if let Some(kept) = self.files.remove(path) {
            self.bytes -= cost_of(path, kept.served.stat.length as usize);
        }
    }

    fn make_room(&mut self, most: usize) {
        while self.bytes > most
            && let Some(path) = self.order.pop_front()
        {
            let asked = self.files.get_mut(&path).map(|kept| &mut kept.was_asked);
            match asked.is_some_and(std::mem::take) {
                true => self.order.push_back(path),
                false => self.remove(&path),
            }
        }
    }
}
