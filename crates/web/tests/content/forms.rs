//! Forms: url-encoded and multipart, with files.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::rc::Rc;

use proptest::prelude::*;
use ropewalk_testing::{Chunks, StringTransport};
use ropewalk_web::{Failure, FormData, Request, Router, Upload, UploadLimits};

use crate::{client, get, post, sent};

const MULTIPART: &str = "multipart/form-data; boundary=rope";

/// Says what is in a form.
async fn describe(form: FormData) -> Result<String, Failure> {
    let mut told = String::new();
    for (name, value) in form.iter() {
        told += &format!("{name}={value};");
    }
    for (name, file) in form.files() {
        let content = file.bytes().await?;
        let text = String::from_utf8_lossy(&content[..content.len().min(9)]).into_owned();
        let (kind, length) = (file.content_type().unwrap_or("-"), file.len());
        told += &format!("{name}:{}:{kind}:{length}:{text};", file.filename());
        assert_eq!(content.len() as u64, length);
    }
    Ok(told)
}

fn router() -> Router {
    Router::new()
        .post("/form", |request: Request| async move {
            describe(request.form().await?).await
        })
        .post("/all", |request: Request| async move {
            describe(request.args_and_form().await?).await
        })
        .get("/args", |request: &Request| {
            let args = request.args()?;
            Ok::<_, Failure>(
                args.iter()
                    .map(|(name, value)| format!("{name}={value};"))
                    .collect::<String>(),
            )
        })
}

fn part(name: &str, more: &str, content: &str) -> String {
    format!("--rope\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
}

#[test]
fn r140_arguments_are_many_blank_and_decoded() {
    let mut client = client(router());
    client.receive(get("/args?a=1&a=2;b=&c+d=%26&e"));
    assert!(sent(&mut client).ends_with("\r\n\r\na=1;a=2;b=;c d=&;e=;"));
    client.receive(get(&format!("/args?{}", "&a".repeat(1001))));
    assert!(sent(&mut client).starts_with("HTTP/1.1 413 "));
}

#[test]
fn r140_both_encodings_are_forms_and_merge_with_the_query() {
    let urlencoded = "application/x-www-form-urlencoded; charset=UTF-8";
    let multipart =
        part("a", "", "1") + &part("a", "", "") + &part("b c", "", "=&") + "--rope--\r\n";
    for (content_type, body) in [(urlencoded, "a=1&a=&b+c=%3d%26"), (MULTIPART, &*multipart)] {
        let mut client = client(router());
        client.receive(post("/form?x=y", content_type, body));
        assert!(sent(&mut client).ends_with("\r\n\r\na=1;a=;b c==&;"));
        client.receive(post("/all?x=y&a=0", content_type, body));
        assert!(sent(&mut client).ends_with("\r\n\r\nx=y;a=0;a=1;a=;b c==&;"));
    }
    let mut client = client(router());
    client.receive("POST /all?x=y HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert!(sent(&mut client).ends_with("\r\n\r\nx=y;"));
}

#[test]
fn r140_a_file_is_small_large_or_not_chosen() {
    let large = "0123456789".repeat(30_000);
    let body = part(
        "note",
        "; filename=\"../a.txt\"\r\nContent-Type: text/plain",
        "tea",
    ) + &part(
        "none",
        "; filename=\"\"\r\nContent-Type: application/octet-stream",
        "",
    ) + &part("big", "; filename=big", &large)
        + &part("text", "", "behind")
        + "--rope--\r\n";
    let mut client = client(router());
    client.receive(post("/form", MULTIPART, &body));
    let sent = sent(&mut client);
    assert!(
        sent.ends_with(
            "\r\n\r\ntext=behind;note:a.txt:text/plain:3:tea;big:big:-:300000:012345678;"
        ),
        "{sent}"
    );
}

#[test]
fn h1_24_what_is_no_form_or_too_much_is_refused() {
    let many = (0..129).map(|_| part("a", "", "")).collect::<String>() + "--rope--\r\n";
    let long = part("a", "", &"x".repeat(2_100_000)) + "--rope--\r\n";
    let name = part(&"n".repeat(513), "", "") + "--rope--\r\n";
    let urlencoded = "application/x-www-form-urlencoded";
    for (content_type, body, status, said) in [
        ("text/plain", "a=b", "415 ", "multipart/form-data"),
        (
            "multipart/mixed; boundary=rope",
            "--rope--\r\n",
            "415 ",
            "multipart/mixed",
        ),
        ("multipart/form-data", "", "400 ", "no boundary"),
        (MULTIPART, "a=b", "400 ", "byte 0 "),
        (
            MULTIPART,
            "--rope\r\n",
            "400 ",
            "ended before its last boundary",
        ),
        (
            MULTIPART,
            "--rope\r\nContent-Disposition: form-data; name=a\r\n\r\n\u{e9}",
            "400 ",
            "ended",
        ),
        (MULTIPART, &many, "413 ", "more parts"),
        (MULTIPART, &long, "413 ", "2097152 bytes"),
        (MULTIPART, &name, "413 ", "name is longer"),
        (urlencoded, &"a&".repeat(1001), "413 ", "1000 names"),
        (urlencoded, &"a".repeat(2_100_000), "413 ", "2097152"),
    ] {
        let mut client = client(router());
        client.receive(post("/form", content_type, body));
        let sent = sent(&mut client);
        assert!(
            sent.starts_with(&format!("HTTP/1.1 {status}")) && sent.contains(said),
            "{said}: {sent}"
        );
    }
}

#[test]
fn a_field_that_is_no_text_is_refused() {
    let mut client = client(router());
    let body = b"--rope\r\nContent-Disposition: form-data; name=a\r\n\r\n\xff\r\n--rope--\r\n";
    let (head, length) = (post("/form", MULTIPART, ""), body.len());
    client.receive(head.replace("Length: 0", &format!("Length: {length}")));
    client.receive(body);
    let sent = sent(&mut client);
    assert!(
        sent.starts_with("HTTP/1.1 400 ") && sent.contains("is not UTF-8"),
        "{sent}"
    );
}

/// A router that keeps the upload of a form.
fn keeping(kept: &Rc<RefCell<Option<Upload>>>, directory: Option<PathBuf>) -> Router {
    let kept = Rc::clone(kept);
    Router::new().post("/", move |request: Request| {
        let (kept, mut limits) = (Rc::clone(&kept), UploadLimits::default());
        limits.directory = directory.clone();
        async move {
            let form = request.form_within(&limits).await?;
            let mut files = form.into_files();
            *kept.borrow_mut() = files.next().map(|(_, file)| file);
            Ok::<_, Failure>("kept")
        }
    })
}

fn uploaded(length: usize, directory: &std::path::Path) -> (StringTransport, Upload) {
    let kept = Rc::default();
    let mut client = client(keeping(&kept, Some(directory.into())));
    let content = "x".repeat(length);
    let body = part("a", "; filename=f", &content) + "--rope--\r\n";
    client.receive(post("/", MULTIPART, &body));
    assert!(sent(&mut client).ends_with("kept"));
    let upload = kept.take().unwrap();
    (client, upload)
}

#[test]
fn h1_25_a_large_file_is_on_disk_for_us_alone_and_then_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (mut client, upload) = uploaded(99_999, directory.path());
    assert_eq!(upload.path(), None);
    drop(upload);
    let (_, upload) = uploaded(700_000, directory.path());
    let path = upload.path().unwrap().to_owned();
    let about = std::fs::metadata(&path).unwrap();
    assert_eq!(
        (about.len(), about.permissions().mode() & 0o777),
        (700_000, 0o600)
    );
    drop(upload);
    client.settle();
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_client_that_leaves_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let kept = Rc::default();
    let mut client = client(keeping(&kept, Some(directory.path().into())));
    let body = part("a", "; filename=f", &"x".repeat(300_000));
    let head = post("/", MULTIPART, &body).replace("Content-Length: ", "Content-Length: 9");
    client.receive(head);
    client.settle();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    client.fail(std::io::ErrorKind::ConnectionReset);
    client.settle();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn an_upload_is_kept_under_a_name_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    for length in [10, 200_000] {
        let (mut client, upload) = uploaded(length, directory.path());
        let place = directory.path().join("kept");
        let keep = client.reactor().spawn(upload.persist(place.clone()));
        let outcome = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&outcome);
        keep.on_result(move |result| *seen.borrow_mut() = Some(result.is_ok()));
        client.settle();
        assert_eq!(*outcome.borrow(), Some(true));
        assert_eq!(std::fs::read(&place).unwrap().len(), length);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_directory_that_is_not_there_is_500_without_its_name() {
    let kept = Rc::default();
    let mut client = client(keeping(&kept, Some("/nowhere/secret".into())));
    let body = part("a", "; filename=f", &"x".repeat(300_000)) + "--rope--\r\n";
    client.receive(post("/", MULTIPART, &body));
    let sent = sent(&mut client);
    assert!(
        sent.starts_with("HTTP/1.1 500 ") && !sent.contains("secret"),
        "{sent}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 2_000 }))]

    /// Any split of any form gets the same answers, and a mutated one gets one.
    #[test]
    fn h1_24_any_split_is_the_same_form(
        fields in prop::collection::vec(("[a-c]{1,3}", "\\PC{0,20}|[\r\n-]{0,9}|-?rope-*", any::<bool>()), 0..6),
        seed in any::<u64>(),
        spoilt in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut body = String::new();
        for (name, value, is_file) in &fields {
            body += &part(name, if *is_file { "; filename=x" } else { "" }, value);
        }
        body += "--rope--\r\n";
        let mut request = post("/form", MULTIPART, &body).into_bytes();
        let behind = request.len() - body.len();
        if let Some((at, byte)) = &spoilt {
            request[behind + at.index(body.len())] = *byte;
        }
        request.extend(get("/args?end").bytes());
        let mut whole = client(router());
        whole.receive(&request);
        let whole = sent(&mut whole);
        if spoilt.is_none() {
            prop_assert!(whole.starts_with("HTTP/1.1 200 "), "{}", whole);
        }
        prop_assert!(whole.ends_with("\r\n\r\nend=;"), "{}", whole);
        let mut client = client(router());
        client.receive_in_pieces(&request, Chunks::seeded(seed));
        prop_assert_eq!(sent(&mut client), whole);
    }
}
