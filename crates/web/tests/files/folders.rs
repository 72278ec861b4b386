//! Folders: r155, and listings.

use std::time::{Duration, SystemTime};

use ropewalk_web::{MemoryFiles, StaticFiles, StatusCode};

use crate::Client;

fn files(paths: &[&str]) -> MemoryFiles {
    let files = MemoryFiles::new();
    paths.iter().fold(files, |files, path| {
        files.with_file(path, (*path).to_owned())
    })
}

#[test]
fn r155_a_folder_without_its_slash_is_elsewhere() {
    let mut client = Client::new(StaticFiles::new(files(&["sub/a b/c.txt"])));
    for (path, location) in [
        ("/sub", "/sub/"),
        ("/sub?x=/../y", "/sub/?x=/../y"),
        ("/sub/a%20b", "/sub/a%20b/"),
        ("//sub", "/sub/"),
    ] {
        let answer = client.get(path);
        assert_eq!(answer.status, StatusCode::FOUND, "{path}");
        assert_eq!(answer.header("Location"), location);
    }
    assert_eq!(client.get("/sub/").status, StatusCode::OK);
}

#[test]
fn h1_19_a_redirect_stays_on_its_host() {
    let mut client = Client::new(StaticFiles::new(files(&["evil.example/x", "\\evil/x"])));
    for path in ["//evil.example", "///evil.example", "/%5Cevil", "//%5Cevil"] {
        let answer = client.get(path);
        if answer.status == StatusCode::FOUND {
            let location = answer.header("Location");
            let is_ours = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
            assert!(is_ours, "{path}: {location}");
        }
    }
}

#[test]
fn r155_the_first_index_that_is_there_stands_for_the_folder() {
    let all = ["d/index", "d/index.html", "d/index.htm", "d/index.rpy"];
    for first in 0..all.len() {
        let mut client = Client::new(StaticFiles::new(files(&all[first..])));
        assert_eq!(client.get("/d/").text(), all[first]);
    }
    let own =
        StaticFiles::new(files(&["d/index.html", "d/home.htm"])).with_index_names(["home.htm"]);
    assert_eq!(Client::new(own).get("/d/").text(), "d/home.htm");
    let mut nested = Client::new(StaticFiles::new(files(&["d/index/x", "d/index.html"])));
    assert_eq!(
        nested.get("/d/").text(),
        "d/index.html",
        "a folder is no index"
    );
}

#[test]
fn r155_a_listing_has_folders_first_and_everything_escaped() {
    let odd = "<script>alert(1)&\"'.txt";
    let tree = files(&[
        "b.txt", "Z/x", "a.txt", "a/x", odd, "a:b", "50%.txt", "q?.txt",
    ]);
    let mut client = Client::new(StaticFiles::new(tree));
    let page = client.get("/");
    assert_eq!(page.header("Content-Type"), "text/html; charset=utf-8");
    assert!(
        page.header("Content-Security-Policy")
            .contains("default-src 'none'")
    );
    let text = page.text();
    assert!(!text.contains("<script"));
    let place = |name: &str| {
        text.find(name)
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let links = [
        "\"./a/\"",
        "\"./Z/\"",
        "\"./50%25.txt\"",
        "\"./%3Cscript%3Ealert%281%29%26%22%27.txt\"",
        "\"./a.txt\"",
        "\"./a%3Ab\"",
        "\"./b.txt\"",
        "\"./q%3F.txt\"",
    ];
    assert!(
        links.windows(2).all(|two| place(two[0]) < place(two[1])),
        "{text}"
    );
    for link in links {
        let path = &link[2..link.len() - 1];
        assert_eq!(client.get(path).status, StatusCode::OK, "{path}");
    }
    let empty = Client::new(StaticFiles::new(MemoryFiles::new())).get("/");
    assert!(empty.text().contains("There is nothing here."));
}

#[test]
fn a_listing_is_sorted_as_one_likes() {
    let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let tree = MemoryFiles::new()
        .with_file_of("old-large", vec![0; 5_000_000], time(10))
        .with_file_of("new-small", "x", time(1_000_000_000))
        .with_file_of("folder/x", "", time(5));
    let mut client = Client::new(StaticFiles::new(tree));
    for (query, order) in [
        ("", ["new-small", "old-large"]),
        ("?sort=size", ["new-small", "old-large"]),
        ("?sort=size&order=desc", ["old-large", "new-small"]),
        ("?sort=date", ["old-large", "new-small"]),
        ("?order=desc&sort=date", ["new-small", "old-large"]),
        ("?sort=%22%3E", ["new-small", "old-large"]),
    ] {
        let page = client.get(&format!("/{query}"));
        let place = |name: &str| page.text().find(name).unwrap();
        assert!(place("folder/") < place(order[0]), "{query}");
        assert!(place(order[0]) < place(order[1]), "{query}");
    }
    let page = client.get("/?sort=size");
    assert!(page.text().contains("4.8 MiB") && page.text().contains("09 Sep 2001 01:46"));
    assert!(page.text().contains("?sort=size&amp;order=desc"));
    assert!(
        !page.text().contains("../"),
        "above the root there is nothing"
    );
    assert!(client.get("/folder/").text().contains("\"../\""));
}

#[test]
fn a_folder_may_be_served_without_listing() {
    let files = StaticFiles::new(files(&["d/x"])).without_listing();
    assert_eq!(Client::new(files).get("/d/").status, StatusCode::FORBIDDEN);
}
