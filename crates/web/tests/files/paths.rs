//! No path leads out of the root: r154, H1-23.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use ropewalk_web::{Branch, Folder, StaticFiles, StatusCode};
use tempfile::TempDir;

use crate::Client;

const SECRET: &str = "SECRET";

/// A root with files in it, beside what nobody may have.
fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    let root = place.path().join("root");
    fs::create_dir_all(root.join("sub/.git")).unwrap();
    fs::create_dir(place.path().join("outside")).unwrap();
    fs::create_dir_all(root.join(".well-known/acme")).unwrap();
    for (path, content) in [
        ("root/hello.txt", "hello"),
        ("root/sub/inner.txt", "inner"),
        ("root/a%2Fb.txt", "percent"),
        ("root/.well-known/acme/token", "token"),
        ("root/.hidden", SECRET),
        ("root/sub/.git/config", SECRET),
        ("outside/secret.txt", SECRET),
        ("secret.txt", SECRET),
        ("rootless.txt", SECRET),
    ] {
        fs::write(place.path().join(path), content).unwrap();
    }
    place
}

fn client(place: &Path) -> Client {
    Client::new(StaticFiles::of(place.join("root")).unwrap())
}

#[test]
fn r154_h1_23_no_path_leaves_the_root() {
    let place = place();
    let mut client = client(place.path());
    for path in [
        "/../secret.txt",
        "/..",
        "/../",
        "/%2e%2e/secret.txt",
        "/%2E%2e/secret.txt",
        "/.%2e/secret.txt",
        "/..%2fsecret.txt",
        "/..%2Fsecret.txt",
        "/sub/../../secret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/%252e%252e%252fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%5c..%5csecret.txt",
        "/..;/secret.txt",
        "/....//secret.txt",
        "/...//secret.txt",
        "/./../secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/%c0%ae%c0%ae%c0%afsecret.txt",
        "/%e0%80%ae%e0%80%ae/secret.txt",
        "/%u002e%u002e/secret.txt",
        "/%uff0e%uff0e/secret.txt",
        "/%ef%bc%8e%ef%bc%8e/secret.txt",
        "/sub%2finner.txt",
        "/hello.txt%00.html",
        "/%00",
        "/hello.txt/",
        "/hello.txt/..",
        "/hello.txt/../hello.txt",
        "/C:/secret.txt",
        "/C%3a%5csecret.txt",
        "/%2fetc%2fpasswd",
        "//etc/passwd",
        "/%2f%2fetc/passwd",
        "/file:///etc/passwd",
        "/../rootless.txt",
        "/%2e%2e/rootless.txt",
        "/%",
        "/%2",
        "/%zz",
        "/%80",
    ] {
        let answer = client.ask("GET", path, &[]);
        let is_refused = matches!(answer.status.as_u16(), 400 | 404);
        assert!(is_refused, "{path}: {}", answer.head);
        assert!(!answer.text().contains(SECRET), "{path}");
        if client.0.is_disconnecting() || client.0.is_disconnected() {
            client = self::client(place.path());
        }
    }
    for path in ["/%00", "/hello.txt%00", "/hello.txt%00.html"] {
        assert_eq!(client.get(path).status, 404, "D2: {path}");
    }
    assert_eq!(client.get("/hello.txt").text(), "hello");
    assert_eq!(client.get("//.//sub//inner.txt").text(), "inner");
    assert_eq!(client.get("/a%252Fb.txt").text(), "percent");
}

#[test]
fn h1_23_below_another_resource_it_is_the_same() {
    let place = place();
    let files = StaticFiles::of(place.path().join("root")).unwrap();
    let mut client = Client::new(Branch::new().with_child("files", files));
    assert_eq!(client.get("/files/hello.txt").text(), "hello");
    assert_eq!(client.get("/files").header("Location"), "/files/");
    let answer = client.get("/files/sub");
    assert_eq!(answer.header("Location"), "/files/sub/");
    for path in [
        "/files/../secret.txt",
        "/files/%2e%2e/secret.txt",
        "/files//..//secret.txt",
    ] {
        assert_eq!(client.get(path).status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[test]
fn h1_23_hidden_names_are_not_there() {
    let place = place();
    let mut client = client(place.path());
    for path in [
        "/.hidden",
        "/%2ehidden",
        "/sub/.git/config",
        "/sub/.git/",
        "/sub/.git",
    ] {
        assert_eq!(client.get(path).status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(!client.get("/").text().contains("hidden"));
    assert!(!client.get("/sub/").text().contains(".git"));
    assert_eq!(client.get("/.well-known/acme/token").text(), "token");
    let shown = StaticFiles::of(place.path().join("root"))
        .unwrap()
        .with_hidden();
    assert_eq!(Client::new(shown).get("/.hidden").text(), SECRET);
}

#[test]
fn h1_23_links_lead_nowhere_but_below() {
    let place = place();
    let root = place.path().join("root");
    symlink("sub", root.join("inside")).unwrap();
    symlink("hello.txt", root.join("greeting")).unwrap();
    symlink("../outside", root.join("out")).unwrap();
    symlink("../secret.txt", root.join("leak.txt")).unwrap();
    symlink(place.path().join("outside"), root.join("absolute")).unwrap();
    symlink("endless", root.join("endless")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    symlink("sub/../../secret.txt", root.join("winding")).unwrap();
    let mut client = client(place.path());
    assert_eq!(client.get("/inside/inner.txt").text(), "inner");
    assert_eq!(client.get("/greeting").text(), "hello");
    let out = [
        "/out/secret.txt",
        "/out/",
        "/out",
        "/leak.txt",
        "/absolute/secret.txt",
        "/absolute/",
        "/endless",
        "/winding",
        "/magic/etc/passwd",
        "/magic/",
    ];
    let listing = client.get("/");
    for path in out {
        assert_eq!(client.get(path).status, StatusCode::NOT_FOUND, "{path}");
        let name = path.split('/').nth(1).unwrap();
        assert!(!listing.text().contains(name), "{name} is listed");
    }
    assert!(
        listing.text().contains("./inside/"),
        "links to folders are folders"
    );
    let strict = StaticFiles::new(Folder::open(&root).unwrap().without_links());
    let mut client = Client::new(strict);
    for path in out.iter().chain(&["/inside/inner.txt", "/greeting"]) {
        assert_eq!(client.get(path).status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(client.get("/sub/inner.txt").text(), "inner");
}

#[test]
fn h1_23_a_wrong_root_is_an_error_at_the_start() {
    let place = place();
    for (path, hint) in [
        ("", "cannot serve"),
        ("no such", "no such"),
        ("root/hello.txt", "hello.txt"),
    ] {
        let path = match path {
            "" => Path::new("").to_owned(),
            path => place.path().join(path),
        };
        let error = StaticFiles::of(&path).unwrap_err().to_string();
        assert!(
            error.contains(hint) && error.contains("give a folder"),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_file_is_not_there() {
    let place = place();
    let pipe = place.path().join("root/pipe");
    let made = std::process::Command::new("mkfifo").arg(pipe).status();
    assert!(made.unwrap().success());
    let mut client = client(place.path());
    assert_eq!(client.get("/pipe").status, StatusCode::NOT_FOUND);
    assert!(!client.get("/").text().contains("pipe"));
}
