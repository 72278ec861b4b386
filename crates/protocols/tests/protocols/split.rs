//! Any cut of the stream, with pauses at any place, gives the same events through the adapters.

use proptest::prelude::*;
use ropewalk_core::Layer;
use ropewalk_core::layer::LayerError;
use ropewalk_protocols::{LineReceiver, StringProtocol, StringReceiver, Strings};
use ropewalk_testing::{Chunks, StringTransport};

use crate::line::{self, Scripted, Told};

/// A piece of a conversation, and what must be told of it.
#[derive(Clone, Debug)]
enum Item {
    Line(Vec<u8>),
    Raw(Vec<u8>),
    Pause,
    Nap,
}

fn item() -> impl Strategy<Value = Item> {
    let words = prop::collection::vec(prop_oneof![Just(b'a'), Just(b'\r'), Just(b' ')], 0..20);
    prop_oneof![
        3 => words.prop_map(Item::Line),
        2 => prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..30).prop_map(Item::Raw),
        1 => Just(Item::Pause),
        1 => Just(Item::Nap),
    ]
}

fn conversation(items: &[Item]) -> (Vec<u8>, Vec<Told>) {
    let (mut stream, mut told) = (Vec::new(), Vec::new());
    for item in items {
        let (text, raw) = match item {
            Item::Line(text) => (text.clone(), None),
            Item::Raw(data) => (format!("raw {}", data.len()).into_bytes(), Some(data)),
            Item::Pause => (b"pause".to_vec(), None),
            Item::Nap => (b"nap".to_vec(), None),
        };
        stream.extend_from_slice(&text);
        stream.extend_from_slice(b"\r\n");
        told.push(Told::Line(text));
        if let Some(raw) = raw {
            stream.extend_from_slice(raw);
            told.push(Told::Raw(raw.clone()));
        }
    }
    told.push(Told::End);
    (stream, told)
}

/// A scripted protocol above a layer that lets bytes pass one by one.
fn layered() -> StringTransport {
    struct Dripping;
    impl Layer for Dripping {
        fn name(&self) -> &'static str {
            "dripping"
        }
        fn receive(
            &mut self,
            data: &mut [u8],
            up: &mut dyn FnMut(&mut [u8]),
            _: &mut Vec<u8>,
        ) -> Result<(), LayerError> {
            data.chunks_mut(1).for_each(up);
            Ok(())
        }
        fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
            down.extend_from_slice(data);
        }
    }
    let protocol = LineReceiver::new(Scripted::default());
    StringTransport::builder()
        .layer(Dripping)
        .protocol(protocol)
}

/// Resumes as long as that brings something.
fn resume(peer: &mut StringTransport, count: usize) {
    for _ in 0..count {
        if !peer.is_reading_paused() {
            return;
        }
        peer.transport().resume_reading();
        peer.settle();
    }
}

proptest! {
    #[test]
    fn r117_r120_r121_lines_are_the_same_for_any_cut_and_any_pauses(
        items in prop::collection::vec(item(), 0..40),
        seed in any::<u64>(),
        resumes in prop::collection::vec(0..3usize, 1..20),
        is_layered in any::<bool>(),
    ) {
        let (stream, expected) = conversation(&items);
        let mut peer = if is_layered { layered() } else { line::peer() };
        let mut resumes = resumes.into_iter().cycle();
        for piece in Chunks::seeded(seed).cut(&stream) {
            peer.receive(piece);
            resume(&mut peer, resumes.next().unwrap_or(0));
        }
        peer.eof();
        resume(&mut peer, usize::MAX);
        prop_assert_eq!(line::told(&mut peer), expected);
        prop_assert!(peer.lost_reason().is_some_and(|reason| reason.is_clean()));
    }

    #[test]
    fn r122_r123_strings_are_the_same_for_any_cut_and_any_pauses(
        sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..30),
        framing in 0..4usize,
        seed in any::<u64>(),
        resumes in prop::collection::vec(0..3usize, 1..20),
    ) {
        let mut sender = connect(framing, Pausing::default());
        let handle = sender.protocol(|pausing: &mut Pausing| pausing.handle.clone()).unwrap();
        for string in &sent {
            handle.send_string(string).unwrap();
        }
        sender.settle();
        let mut peer = connect(framing, Pausing::default());
        let mut resumes = resumes.into_iter().cycle();
        for piece in Chunks::seeded(seed).cut(&sender.take_sent()) {
            peer.receive(piece);
            resume(&mut peer, resumes.next().unwrap_or(0));
        }
        resume(&mut peer, usize::MAX);
        prop_assert_eq!(peer.protocol(|pausing: &mut Pausing| pausing.strings.clone()), sent);
    }
}

/// Pauses at every string that begins with a small byte.
#[derive(Default)]
struct Pausing {
    strings: Vec<Vec<u8>>,
    handle: Option<Strings>,
}

impl StringProtocol for Pausing {
    fn connection_made(&mut self, strings: &Strings) {
        self.handle = Some(strings.clone());
    }
    fn string_received(&mut self, strings: &Strings, string: &[u8]) {
        self.strings.push(string.to_vec());
        if string.first().is_none_or(|&first| first < 80) {
            strings.pause_reading();
        }
    }
}

fn connect(framing: usize, protocol: impl StringProtocol) -> StringTransport {
    match framing {
        0 => StringTransport::new(StringReceiver::int8(protocol)),
        1 => StringTransport::new(StringReceiver::int16(protocol)),
        2 => StringTransport::new(StringReceiver::int32(protocol)),
        _ => StringTransport::new(StringReceiver::netstring(protocol)),
    }
}
