//! Files on their way out: rule 160.
//!
//! Each rule is tried with a file of the kernel, which a driver may have sent by it, and with one that can only be read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::rc::Rc;

use bytes::Bytes;
use ropewalk_core::buffer::{FileRange, FileSource};
use ropewalk_core::{Address, Transport};

use super::script::{End, Script};
use super::{Harness, Stage};

/// What closes with the last handle on it.
struct Watched {
    source: Box<dyn FileSource>,
    closed: Rc<Cell<bool>>,
}

impl FileSource for Watched {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.source.read_at(buffer, offset)
    }

    fn descriptor(&self) -> Option<&ropewalk_core::Descriptor> {
        self.source.descriptor()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.closed.set(true);
    }
}

/// A file of the kernel, without a name.
#[cfg(unix)]
struct OfKernel {
    file: File,
    descriptor: ropewalk_core::Descriptor,
}

#[cfg(unix)]
impl FileSource for OfKernel {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }

    fn descriptor(&self) -> Option<&ropewalk_core::Descriptor> {
        Some(&self.descriptor)
    }
}

/// What no driver can read.
struct Unreadable;

impl FileSource for Unreadable {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Err(io::Error::other("the disk is gone"))
    }
}

fn of_kernel(content: &[u8]) -> io::Result<Box<dyn FileSource>> {
    let path = std::env::temp_dir().join(format!("ropewalk-{}-{content:p}", std::process::id()));
    let mut file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    let descriptor = ropewalk_core::Descriptor::new(std::os::fd::OwnedFd::from(file.try_clone()?));
    Ok(Box::new(OfKernel { file, descriptor }))
}

/// The same content in each kind of file.
fn files(content: &[u8]) -> [Box<dyn FileSource>; 2] {
    let memory = Box::new(Bytes::copy_from_slice(content));
    [
        memory,
        of_kernel(content).expect("there is room for temporary files"),
    ]
}

/// Rule 160: files and bytes come in the order in which they were written.
pub fn r160_files_come_in_the_order_of_writes(harness: &Harness) {
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n / 3) as u8).collect();
    for source in files(&content) {
        let mut stage = Stage::new(harness);
        let source: Rc<dyn FileSource> = source.into();
        let (server, client) = stage.pair(Script::new(), Script::new());
        let (transport, mut written) = (client.transport(), Vec::new());
        for (offset, length) in [
            (0, 1),
            (17, 100_000),
            (200_000, 100_000),
            (5, 0),
            (0, 300_000),
        ] {
            transport.write("head");
            transport.write_file(FileRange::new(Rc::clone(&source), offset, length));
            transport.write_owned(vec![7; 5000]);
            written.extend(b"head");
            written.extend(&content[offset as usize..offset as usize + length]);
            written.extend([7; 5000]);
        }
        assert!(transport.unsent_bytes() > 0);
        stage.wait("all bytes", || server.received() >= written.len());
        assert!(*server.bytes() == written);
    }
}

/// Rule 160: a file goes at the speed of the peer, and closing waits for it.
pub fn r160_a_slow_peer_gets_a_file_whole(harness: &Harness) {
    let bulk = Stage::new(harness).bulk();
    for source in files(&bulk) {
        let mut stage = Stage::new(harness);
        let source: Rc<dyn FileSource> = source.into();
        let length = bulk.len();
        let send = move |transport: &Transport| {
            transport.write_file(FileRange::new(Rc::clone(&source), 0, length));
            transport.lose_connection();
        };
        let pause = Script::new().on_made(Transport::pause_reading);
        let (server, client) = stage.pair(Script::new().on_made(send), pause);
        stage.linger();
        assert!(!server.is_lost() && client.received() == 0);
        client.transport().resume_reading();
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        assert!(*client.bytes() == bulk, "{} came", client.received());
        let ends = (server.end(), client.end());
        assert_eq!(ends, (Some(End::Done), Some(End::Done)));
    }
}

/// Rule 160: when the peer leaves, the file is closed.
pub fn r160_a_file_is_closed_when_the_peer_leaves(harness: &Harness) {
    let bulk = Stage::new(harness).bulk();
    for source in files(&bulk) {
        let mut stage = Stage::new(harness);
        let closed = Rc::new(Cell::new(false));
        let watched = Rc::new(Watched {
            source,
            closed: Rc::clone(&closed),
        });
        let length = bulk.len();
        let mut once = Some(watched);
        let send = move |transport: &Transport| {
            let watched = once.take().expect("there is one connection");
            let range = FileRange::new(watched, 0, length);
            (0..4).for_each(|_| transport.write_file(range.clone())); // More than all buffers on the way hold.
        };
        let pause = Script::new().on_made(Transport::pause_reading);
        let (server, client) = stage.pair(Script::new().on_made(send), pause);
        stage.linger();
        assert!(!closed.get());
        client.transport().abort_connection();
        stage.wait("the end", || server.is_lost());
        stage.wait("the file to be closed", || closed.get());
    }
}

/// Rule 160: what is missing of a file cannot be made up; the peer sees that it is missing.
pub fn r160_a_file_that_became_shorter_cuts_the_connection(harness: &Harness) {
    for source in files(&[7; 1000]) {
        cut(harness, source.into(), 1000);
    }
}

/// Rule 160: the same for one that cannot be read.
pub fn r160_a_file_that_cannot_be_read_cuts_the_connection(harness: &Harness) {
    cut(harness, Rc::new(Unreadable), 0);
}

fn cut(harness: &Harness, source: Rc<dyn FileSource>, most: usize) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), Script::new());
    let transport = server.transport();
    transport.write_file(FileRange::new(source, 0, 2000));
    transport.write("never sent");
    transport.lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert!(client.bytes().iter().all(|&byte| byte == 7));
    assert!(client.received() <= most);
    assert_eq!(server.end(), Some(End::Lost), "{}", server.reason());
    if matches!(transport.host(), Address::Tcp(_)) {
        assert_ne!(client.end(), Some(End::Done)); // A UNIX socket has no resets.
    }
}
