//! A global allocator that can count, for "no allocation per message in steady state".
//!
//! Counting is off unless the process was started with a counter file: then every allocation and
//! reallocation adds one to a number in a page shared with whoever reads that file. Off, it costs two
//! loads and branches per allocation, for us and for every peer in this binary alike. A process that
//! measures itself counts the bytes that it holds, too.
#![allow(
    unsafe_code,
    reason = "a global allocator and a shared page cannot be written without"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, AtomicU64, Ordering};

/// The system's allocator, counted.
pub(crate) struct Counting;

static COUNTER: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

/// What a process that measures itself counts.
static HERE: Here = Here {
    is_on: AtomicBool::new(false),
    allocations: AtomicU64::new(0),
    bytes: AtomicI64::new(0),
};

struct Here {
    is_on: AtomicBool,
    allocations: AtomicU64,
    bytes: AtomicI64,
}

/// What this process has allocated since it began to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    /// How often.
    pub(crate) allocations: u64,
    /// How many bytes more than then it holds.
    pub(crate) bytes: i64,
}

/// From now on counts this process's allocations and bytes, for [`heap`].
pub(crate) fn count_here() {
    HERE.is_on.store(true, Ordering::Relaxed);
}

/// What [`count_here`] counted so far.
pub(crate) fn heap() -> Heap {
    Heap {
        allocations: HERE.allocations.load(Ordering::Relaxed),
        bytes: HERE.bytes.load(Ordering::Relaxed),
    }
}

fn count(bytes: usize) {
    let counter = COUNTER.load(Ordering::Relaxed);
    if !counter.is_null() {
        // SAFETY: once set, the pointer is to a page that stays mapped as long as the process lives.
        unsafe { (*counter).fetch_add(1, Ordering::Relaxed) };
    }
    if HERE.is_on.load(Ordering::Relaxed) {
        HERE.allocations.fetch_add(1, Ordering::Relaxed);
        HERE.bytes.fetch_add(bytes as i64, Ordering::Relaxed);
    }
}

fn uncount(bytes: usize) {
    if HERE.is_on.load(Ordering::Relaxed) {
        HERE.bytes.fetch_sub(bytes as i64, Ordering::Relaxed);
    }
}

// SAFETY: every call is handed on, unchanged, to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        uncount(layout.size());
        count(size);
        // SAFETY: as in `alloc`.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        uncount(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(old, layout) }
    }
}

/// A file that holds one counter; removed when dropped.
pub(crate) struct CounterFile(PathBuf);

impl CounterFile {
    pub(crate) fn create() -> io::Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("ropewalk-bench-{}-{serial}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.set_len(size_of::<AtomicU64>() as u64)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for CounterFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What this process holds of the C library's `malloc`, on which the global allocator stands, too.
pub(crate) fn malloc_bytes() -> usize {
    // SAFETY: it reads the allocator's books under its locks, and gives numbers.
    unsafe { libc::mallinfo2() }.uordblks
}

/// From now on counts this process's allocations into the file at `path`.
pub(crate) fn count_into(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    COUNTER.store(map(&file)?, Ordering::Relaxed);
    Ok(())
}

/// Reads the counter of another process.
pub(crate) fn read_count(path: &Path) -> io::Result<u64> {
    let bytes = fs::read(path)?;
    let bytes = bytes.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(u64::from_ne_bytes(*bytes))
}

fn map(file: &File) -> io::Result<*mut AtomicU64> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let (length, fd) = (size_of::<AtomicU64>(), file.as_raw_fd());
    // SAFETY: the kernel chooses an unused address; nothing that exists is mapped over.
    let page = unsafe { libc::mmap(ptr::null_mut(), length, protection, libc::MAP_SHARED, fd, 0) };
    if page == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(page.cast())
    }
}
