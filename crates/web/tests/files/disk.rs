//! Files of a real disk, which change while they are served: r159, r160.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use ropewalk_web::{StaticFiles, StatusCode};
use tempfile::TempDir;

use crate::Client;

fn serve(place: &TempDir) -> Client {
    Client::new(StaticFiles::of(place.path()).unwrap())
}

/// Old enough to be kept in memory.
fn write_long_ago(place: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    let path = place.path().join(name);
    fs::write(&path, content).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(long_ago).unwrap();
}

#[test]
fn r159_what_is_kept_in_memory_is_served_only_while_it_is_the_same() {
    let place = TempDir::new().unwrap();
    let mut client = serve(&place);
    write_long_ago(&place, "a.txt", "first");
    assert_eq!(client.get("/a.txt").text(), "first");
    let kept = client.get("/a.txt");
    assert_eq!(kept.text(), "first");
    write_long_ago(&place, "a.txt", "other"); // Of the same length.
    assert_eq!(client.get("/a.txt").text(), "other");
    fs::write(place.path().join("a.txt"), "longer than before").unwrap();
    assert_eq!(client.get("/a.txt").text(), "longer than before");
    write_long_ago(&place, "b.txt", "moved");
    fs::rename(place.path().join("b.txt"), place.path().join("a.txt")).unwrap();
    assert_eq!(client.get("/a.txt").text(), "moved");
    assert_ne!(client.get("/a.txt").header("ETag"), kept.header("ETag"));
    fs::remove_file(place.path().join("a.txt")).unwrap();
    assert_eq!(client.get("/a.txt").status, StatusCode::NOT_FOUND);
    fs::create_dir(place.path().join("a.txt")).unwrap();
    assert_eq!(client.get("/a.txt").status, StatusCode::FOUND);
}

#[test]
fn a_link_that_leads_out_is_not_served_from_memory() {
    let place = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    let mut client = serve(&place);
    write_long_ago(&place, "a.txt", "inside");
    assert_eq!(client.get("/a.txt").text(), "inside");
    fs::rename(place.path().join("a.txt"), outside.path().join("a.txt")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("a.txt"), place.path().join("a.txt")).unwrap();
    assert_eq!(client.get("/a.txt").status, StatusCode::NOT_FOUND);
}

#[test]
fn memory_has_a_limit() {
    let place = TempDir::new().unwrap();
    for name in 0..20 {
        write_long_ago(&place, &name.to_string(), [b'x'; 1000]);
    }
    for limit in [0, 600, 2000, 5000] {
        let files = StaticFiles::of(place.path()).unwrap().with_memory(limit);
        let mut client = Client::new(files);
        for name in (0..20).chain(0..20) {
            assert_eq!(client.get(&format!("/{name}")).body, [b'x'; 1000]);
        }
    }
}

#[test]
fn r160_a_large_file_is_sent_as_the_client_takes_it() {
    let place = TempDir::new().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    fs::write(place.path().join("large"), &content).unwrap();
    let mut client = serve(&place);
    client.0.block_sending();
    client
        .0
        .receive("GET /large HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    client.0.allow_sending(1000);
    client.0.settle();
    assert_eq!(client.0.sent().len(), 1000);
    let waits = client.0.transport().unsent_bytes();
    assert!(
        waits < 2 * content.len(),
        "the second request waits: {waits}"
    );
    client.0.unblock_sending();
    client.0.settle();
    let sent = client.0.take_sent();
    let head = sent
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(sent[head..].starts_with(&content));
    assert!(sent.ends_with(&content) && sent.len() == 2 * (head + content.len()));
}

#[test]
fn r160_a_file_cut_under_way_cuts_the_answer() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("large");
    fs::write(&path, vec![7; 1_000_000]).unwrap();
    let mut client = serve(&place);
    client.0.block_sending();
    client.0.receive("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    client.0.allow_sending(100_000);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(300_000)
        .unwrap();
    client.0.unblock_sending();
    client.0.settle();
    assert!(client.0.is_aborted());
    let sent = client.0.take_sent();
    let head = sent
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    assert!(sent.len() - head <= 300_000 && sent[head..].iter().all(|&byte| byte == 7));
}

#[test]
fn r160_a_file_removed_under_way_is_sent_whole() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("large");
    fs::write(&path, vec![7; 1_000_000]).unwrap();
    let mut client = serve(&place);
    client.0.block_sending();
    client.0.receive("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    client.0.allow_sending(1000);
    fs::remove_file(&path).unwrap();
    client.0.unblock_sending();
    assert_eq!(client.answer().body.len(), 1_000_000);
    assert_eq!(client.get("/large").status, StatusCode::NOT_FOUND);
}
