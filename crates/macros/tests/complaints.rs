//! What the compiler says when the attribute is used wrongly, and where it points.
//!
//! Each file of `tests/complaints/` is given to rustc. A comment `//~   ^ TEXT` in it says that the line of code above
//! has an error at the caret's column, which begins with that text. The file must have these errors and no others.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Line, column, message.
type Complaint = (usize, usize, String);

#[test]
fn complaints_point_at_the_place_and_name_the_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/complaints");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let source = std::fs::read_to_string(&file).unwrap();
        let expected = expected(&source);
        assert!(!expected.is_empty(), "{} expects nothing", file.display());
        let complaints = complaints(&file);
        let same = complaints.len() == expected.len()
            && complaints.iter().zip(&expected).all(is_as_expected);
        assert!(
            same,
            "{}\nsays    {complaints:#?}\nmust be {expected:#?}",
            file.display()
        );
        checked += 1;
    }
    assert!(checked > 0);
}

fn is_as_expected((complaint, expected): (&Complaint, &Complaint)) -> bool {
    let (line, column, message) = complaint;
    (line, column) == (&expected.0, &expected.1) && message.starts_with(&expected.2)
}

fn expected(source: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut code_line = 0;
    for (line, text) in source.lines().enumerate() {
        match text.split_once('^') {
            Some((before, message)) if text.starts_with("//~") => {
                complaints.push((code_line, before.len() + 1, message.trim().to_owned()));
            }
            _ => code_line = line + 1,
        }
    }
    complaints
}

fn complaints(file: &Path) -> Vec<Complaint> {
    let mut rustc = Command::new(rustc());
    rustc.args([
        "--edition=2024",
        "--crate-type=lib",
        "--test",
        "--emit=metadata",
    ]);
    rustc
        .args(["--error-format=short", "--extern"])
        .arg(macros());
    rustc
        .arg("-o")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("complaints"))
        .arg(file);
    let output = rustc.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let mut complaints: Vec<Complaint> = text.lines().filter_map(complaint).collect();
    complaints.sort();
    complaints
}

/// Reads `FILE:LINE:COLUMN: error: MESSAGE`, where an error code may stand behind `error`.
fn complaint(line: &str) -> Option<Complaint> {
    let (place, message) = line.split_once(": error")?;
    let (_, message) = message.split_once(": ")?;
    let mut place = place.rsplit(':').map(str::parse);
    let (Ok(column), Ok(line)) = (place.next()?, place.next()?) else {
        return None;
    };
    Some((line, column, message.to_owned()))
}

fn rustc() -> PathBuf {
    let beside_cargo = Path::new(env!("CARGO")).with_file_name("rustc");
    if beside_cargo.exists() {
        beside_cargo
    } else {
        PathBuf::from("rustc")
    }
}

/// `ropewalk_macros=FILE`: the newest build of the macro beside this test, which cargo made just before it.
fn macros() -> String {
    let folder = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    let name = format!("{}ropewalk_macros-", std::env::consts::DLL_PREFIX);
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let builds = files.filter(|file| {
        let file = file.file_name().unwrap().to_string_lossy();
        file.starts_with(&name) && file.ends_with(std::env::consts::DLL_SUFFIX)
    });
    let newest = builds.max_by_key(|file| file.metadata().unwrap().modified().unwrap());
    format!(
        "ropewalk_macros={}",
        newest.expect("cargo built the macro").display()
    )
}
