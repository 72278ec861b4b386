//! Static files, asked for on a connection that a test feeds, and over simulated networks.

mod compressed;
mod disk;
mod folders;
mod paths;
mod ranges;
mod representations;
mod worlds;

use ropewalk_testing::StringTransport;
use ropewalk_web::{Resource, Site, StatusCode};

/// A client of one connection.
struct Client(StringTransport);

/// What was answered.
struct Answer {
    status: StatusCode,
    head: String,
    body: Vec<u8>,
}

impl Client {
    fn new(root: impl Resource) -> Self {
        Self(StringTransport::builder().factory(Site::new(root)))
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    fn ask(&mut self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        self.0.receive(format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
        ));
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        self.0.settle();
        let sent = self.0.take_sent();
        let end = sent.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.expect("an answer has a head") + 4;
        let head = String::from_utf8(sent[..end].to_vec()).unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: sent[end..].to_vec(),
        }
    }
}

impl Answer {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        self.find(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
