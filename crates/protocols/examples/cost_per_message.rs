//! What a message costs on its way from the connection to a handler that only counts it.
//!
//! ```text
//! cargo build --release -p ropewalk-protocols --example cost_per_message
//! for what in bare lines split-lines answers strings; do
//!     valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/cost_per_message $what
//! done
//! ```
//!
//! Each run delivers the same bytes: a million messages of 64 bytes in chunks of 64 000 bytes. The difference of the
//! instructions to `bare`, over a million, is the cost of one message. Memory comes from the chunks, not from messages:
//! `valgrind --tool=dhat` counts the same allocations for a thousand messages in a chunk as for one.

use ropewalk_core::{Protocol, Transport};
use ropewalk_protocols::{
    LineProtocol, LineReceiver, Lines, StringProtocol, StringReceiver, Strings,
};
use ropewalk_testing::StringTransport;

const CHUNKS: usize = 1000;
const MESSAGES: usize = 1000;

#[derive(Default)]
struct Counter {
    messages: usize,
    bytes: usize,
    answers: bool,
}

impl Protocol for Counter {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.bytes += data.len();
    }
}

impl LineProtocol for Counter {
    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        self.messages += 1;
        self.bytes += line.len();
        if self.answers {
            lines
                .send_line(line)
                .expect("what came as a line can go as one");
        }
    }
}

impl StringProtocol for Counter {
    fn string_received(&mut self, _: &Strings, string: &[u8]) {
        self.messages += 1;
        self.bytes += string.len();
    }
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let line = [&[b'x'; 62][..], b"\r\n"].concat();
    let string = [&62_u16.to_be_bytes()[..], &[b'x'; 62]].concat();
    let (counter, answering) = (
        Counter::default(),
        Counter {
            answers: true,
            ..Counter::default()
        },
    );
    let (mut peer, message, skip) = match &*what {
        "bare" => (StringTransport::new(counter), line, 0),
        "lines" => (StringTransport::new(LineReceiver::new(counter)), line, 0),
        "split-lines" => (StringTransport::new(LineReceiver::new(counter)), line, 32),
        "answers" => (StringTransport::new(LineReceiver::new(answering)), line, 0),
        "strings" => (
            StringTransport::new(StringReceiver::int16(counter)),
            string,
            0,
        ),
        _ => panic!("say what: bare, lines, split-lines, answers or strings"),
    };
    let mut chunk = message.repeat(MESSAGES);
    chunk.rotate_left(skip); // each chunk then begins and ends within a message
    for _ in 0..CHUNKS {
        peer.receive(&chunk);
        peer.take_sent();
    }
    let (messages, bytes) =
        peer.protocol(|counter: &mut Counter| (counter.messages, counter.bytes));
    eprintln!("{what}: {messages} messages, {bytes} bytes");
}
