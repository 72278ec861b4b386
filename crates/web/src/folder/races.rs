//! What is inside and what is outside change places, while they are looked for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{RenameFlags, renameat_with};
use tempfile::TempDir;

use super::*;

/// Of each path below: how often it is looked for.
const LOOKS: usize = 500;

/// All that a path gives: the content of a file, or the names in a folder.
fn content(folder: &Folder, path: &str) -> io::Result<String> {
    let FileNode::File(file, stat) = folder.open(path)? else {
        let names = folder.list(path, 10)?.into_iter().map(|entry| entry.name);
        return Ok(names.collect());
    };
    let mut read = vec![0; usize::try_from(stat.length).unwrap()];
    let length = file.read_at(&mut read, 0)?;
    Ok(String::from_utf8(read[..length].to_vec()).unwrap())
}

/// A folder and a file inside, and links to others of the same names outside.
fn lay_out(root: &Path, outside: &Path, link: impl Fn(&str) -> std::path::PathBuf) {
    for (place, text) in [(root, "inside"), (outside, "OUTSIDE")] {
        fs::create_dir(place.join("folder")).unwrap();
        fs::write(place.join("folder").join(text), text).unwrap();
        fs::write(place.join("folder/file"), text).unwrap();
        fs::write(place.join("file"), text).unwrap();
    }
    for name in ["folder", "file"] {
        symlink(link(name), root.join(format!("{name}-link"))).unwrap();
    }
}

fn swap(root: &Path, name: &str) {
    let (one, other) = (root.join(name), root.join(format!("{name}-link")));
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

#[test]
fn h1_23_no_swapped_link_leads_out() {
    let place = TempDir::new().unwrap();
    let (root, outside) = (place.path().join("root"), place.path().join("outside"));
    for (walks, is_relative) in [(false, false), (false, true), (true, false), (true, true)] {
        for path in [&root, &outside] {
            fs::create_dir(path).unwrap();
        }
        lay_out(&root, &outside, |name| match is_relative {
            true => Path::new("../outside").join(name),
            false => outside.join(name),
        });
        let folder = Folder::open(&root).unwrap();
        folder.walks.set(walks);
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for name in ["folder", "file"] {
                let (root, is_over) = (&root, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        swap(root, name);
                    }
                });
            }
            let paths = [
                "file",
                "folder",
                "folder/file",
                "file-link",
                "folder-link/file",
            ];
            let (mut seen, mut leaks) = ([0, 0], Vec::new());
            while seen.iter().sum::<usize>() < LOOKS * paths.len() || seen.contains(&0) {
                for path in paths {
                    let found = content(&folder, path);
                    let text = found.as_deref().unwrap_or_default();
                    leaks.extend(text.contains("OUTSIDE").then_some(path));
                    seen[usize::from(found.is_ok())] += 1;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(leaks, [""; 0], "walks: {walks}, relative: {is_relative}");
        });
        for path in [&root, &outside] {
            fs::remove_dir_all(path).unwrap();
        }
    }
}
