//! A global allocator that can count, for "no allocation per message in steady state".
//!
//! Counting is off unless the process was started with a counter file: then every allocation and
//! reallocation adds one to a number in a page shared with whoever reads that file. Off, it costs one
//! load and one branch per allocation, for us and for every peer in this binary alike.
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
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// The system's allocator, counted.
pub(crate) struct Counting;

static COUNTER: AtomicPtr<AtomicU64> = AtomicPtr::new(ptr::null_mut());

fn count() {
    let counter = COUNTER.load(Ordering::Relaxed);
    if !counter.is_null() {
        // SAFETY: once set, the pointer is to a page that stays mapped as long as the process lives.
        unsafe { (*counter).fetch_add(1, Ordering::Relaxed) };
    }
}

// SAFETY: every call is handed on, unchanged, to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, here and below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as in `alloc`.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
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
