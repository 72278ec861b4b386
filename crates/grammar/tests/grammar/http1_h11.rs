//! Our request decoder against `h11`, bodies included, if Python has it. Every difference has an explanation here.
//!
//! h11 waits for a whole head before it looks at it, and is laxer where users wanted it to be; what it never is, is told
//! something else than we are.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test asks a program; the grammar does not"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use ropewalk_grammar::http1::{Event, RequestDecoder, Rule};

const CASES: usize = 4000;

const SEEDS: &[&str] = &[
    "GET /a?b HTTP/1.1\r\nHost: a\r\nX: \ty z\t \r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n00\r\nETag: x\r\n\r\n",
    "PUT / HTTP/1.0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "GET http://example.com/x HTTP/1.1\r\nHost: a:80\r\nEmpty:\r\n\r\n",
];

const ODD: &[u8] = b"\r\r\n\n\t  \0\x0b\x7f\x80\xff:;,#?/*%+-\"(=AZaz0159";

/// A generator whose numbers are the same in each run (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn request(&mut self) -> Vec<u8> {
        let mut data = SEEDS[self.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..self.below(3) {
            let (at, byte) = (self.below(data.len()), ODD[self.below(ODD.len())]);
            match self.below(3) {
                0 => data[at] = byte,
                1 => data.insert(at, byte),
                _ => drop(data.remove(at)),
            }
        }
        if self.below(10) == 0 {
            data.truncate(self.below(data.len()));
        }
        data
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}

/// What we make of the first request, in the words of `h11_oracle.py`, or the rule that it breaks.
fn ours(data: &[u8]) -> Result<String, Rule> {
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(data);
    let (mut said, mut body) = (String::new(), Vec::new());
    while let Some(event) = input.next_event() {
        match event.map_err(|error| error.rule())? {
            Event::Head(head) => {
                // h11 gives names in small letters.
                let field = |name: &str, value| {
                    format!(
                        "{}={}",
                        hex(name.to_ascii_lowercase().as_bytes()),
                        hex(value)
                    )
                };
                let fields: Vec<_> = head
                    .fields()
                    .iter()
                    .map(|it| field(it.name, it.value))
                    .collect();
                let [method, target] =
                    [head.method().as_str(), head.target_text()].map(|text| hex(text.as_bytes()));
                let version = hex(&head.version().as_str().as_bytes()[5..]);
                said = format!("whole {method} {target} {version} {}", fields.join(","));
            }
            Event::Body(more) => body.extend_from_slice(more),
            Event::Trailers(_) => {}
            Event::End => return Ok(format!("{said} {}", hex(&body))),
        }
    }
    Ok("partial".to_owned())
}

/// What h11 makes of each, or `None` where there is no Python or no h11.
fn theirs(cases: &[Vec<u8>]) -> Option<Vec<String>> {
    let has_h11 = Command::new("python3")
        .args(["-c", "import h11"])
        .stderr(Stdio::null())
        .status();
    if !has_h11.is_ok_and(|status| status.success()) {
        return None;
    }
    let oracle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grammar/h11_oracle.py");
    let mut python = Command::new("python3")
        .arg(oracle)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it ran a moment ago");
    let lines: Vec<_> = cases.iter().map(|case| hex(case)).collect();
    let mut stdin = python.stdin.take().expect("it is piped");
    // Both pipes would fill up if one side wrote all before the other read.
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all((lines.join("\n") + "\n").as_bytes()));
        python.wait_with_output().expect("it ends with its input")
    });
    assert!(
        answers.status.success(),
        "h11_oracle.py: {}",
        answers.status
    );
    let answers = String::from_utf8(answers.stdout).expect("it is ASCII");
    Some(answers.lines().map(str::to_owned).collect())
}

/// Why we refuse what h11 takes as a whole.
fn stricter(rule: Rule, data: &[u8]) -> bool {
    let has = |part: &[u8]| memchr::memmem::find(data, part).is_some();
    match rule {
        // It takes LF for a line's end, and continued lines.
        Rule::BareLf | Rule::BareCr | Rule::Folding => has(b"\n"),
        // It takes fragments, and any visible characters for a target, as those have no form for it.
        Rule::Target => has(b"#") || data.iter().any(|byte| *byte < 0x20 || *byte > 0x7e),
        Rule::TargetForm
        | Rule::AsteriskTarget
        | Rule::ConnectTarget
        | Rule::Authority
        | Rule::Host => true,
        // It leaves versions to its user, and control characters that are no blanks.
        Rule::Version | Rule::FieldValue => true,
        // Equal lengths, lists of them, and a length beside chunks are fine by it, and HTTP/1.0 may have chunks.
        Rule::ContentLength | Rule::ContentLengthRepeated | Rule::LengthAndChunked => true,
        Rule::ChunkedInHttp10 | Rule::LengthMissing | Rule::TransferEncoding => true,
        // It skips what is behind a semicolon, and blanks.
        Rule::ChunkExtension | Rule::ChunkSize => true,
        Rule::TrailerField => true,
        _ => false,
    }
}

#[test]
fn p30_we_read_requests_as_h11_does_or_refuse_them() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let cases: Vec<_> = (0..CASES).map(|_| dice.request()).collect();
    let Some(answers) = theirs(&cases) else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: python3 has no h11 (pip install h11)"
        );
        return;
    };
    assert_eq!(answers.len(), cases.len());
    let mut whole = 0;
    for (data, theirs) in cases.iter().zip(&answers) {
        let shown = data.escape_ascii();
        match (ours(data), theirs.as_str()) {
            (Ok(ours), theirs) if ours == theirs => whole += usize::from(ours != "partial"),
            // An empty line before a request is to be passed over (RFC 9112 2.2).
            (Ok(_), "refused") if data.starts_with(b"\r\n") => {}
            (Err(_), "refused" | "partial") => {}
            (Err(rule), theirs) => assert!(stricter(rule, data), "{rule:?} of {shown}: {theirs}"),
            (ours, theirs) => panic!("{shown}: we say {ours:?}, h11 says {theirs}"),
        }
    }
    assert!(whole > CASES / 10, "only {whole} requests were understood");
}
