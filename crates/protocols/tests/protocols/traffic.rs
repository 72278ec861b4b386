//! `TrafficLoggingFactory`: what is written down.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use ropewalk_core::{Factory, Protocol, Transport};
use ropewalk_protocols::wire::Echo;
use ropewalk_protocols::{TrafficLoggingFactory, TrafficStyle};
use ropewalk_testing::StringTransport;

/// A place to write to that the test can read.
#[derive(Clone, Default)]
struct Paper {
    text: Rc<RefCell<Vec<u8>>>,
    /// How many lines fit.
    lines: Option<usize>,
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.text.borrow().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self
            .text
            .borrow()
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        if self.lines.is_some_and(|lines| written >= lines) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.text.borrow_mut().extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn echo_with(factory: impl Factory) -> StringTransport {
    let mut peer = StringTransport::builder().factory(factory);
    peer.receive(b"hello\r\n\xff");
    peer.receive([b'x'; 100]);
    peer.eof();
    peer
}

#[test]
fn pieces_are_shown_as_text_with_their_length_and_their_beginning() {
    let paper = Paper::default();
    let copy = paper.clone();
    let factory =
        TrafficLoggingFactory::new(|| Echo, move |_, _| Ok(copy.clone())).with_shown_bytes(8);
    let mut peer = echo_with(factory);
    assert_eq!(peer.take_sent().len(), 108, "it changes nothing");
    assert_eq!(
        paper.text(),
        "# tcp:192.0.2.2:54321\n\
         < 8 \"hello\\r\\n\\xff\"\n\
         > 8 \"hello\\r\\n\\xff\"\n\
         < 100 \"xxxxxxxx\" and 92 more\n\
         > 100 \"xxxxxxxx\" and 92 more\n\
         < end\n\
         # received 108 bytes, sent 108\n"
    );
}

#[test]
fn pieces_are_shown_in_hexadecimal_digits() {
    let paper = Paper::default();
    let copy = paper.clone();
    let factory = TrafficLoggingFactory::new(|| Echo, move |_, _| Ok(copy.clone()))
        .with_style(TrafficStyle::Hex)
        .with_shown_bytes(2);
    echo_with(factory);
    assert!(
        paper
            .text()
            .contains("< 8 68 65 and 6 more\n> 8 68 65 and 6 more\n"),
        "{}",
        paper.text()
    );
}

#[test]
fn each_connection_has_a_number_and_a_place_of_its_own() {
    let numbers = Rc::new(RefCell::new(Vec::new()));
    let copy = numbers.clone();
    let mut factory = TrafficLoggingFactory::new(
        || Echo,
        move |peer, number| {
            copy.borrow_mut().push(format!("{number} {peer}"));
            Ok(io::sink())
        },
    );
    let peers =
        [([192, 0, 2, 1], 1).into(), ([192, 0, 2, 2], 2).into()].map(std::net::SocketAddr::into);
    peers.iter().for_each(|peer| drop(factory.layers(peer)));
    assert_eq!(
        *numbers.borrow(),
        ["1 tcp:192.0.2.1:1", "2 tcp:192.0.2.2:2"]
    );
}

#[test]
fn a_connection_goes_on_when_its_log_cannot() {
    let nowhere = |_: &_, _| io::Result::<Paper>::Err(io::ErrorKind::PermissionDenied.into());
    assert_eq!(
        echo_with(TrafficLoggingFactory::new(|| Echo, nowhere))
            .take_sent()
            .len(),
        108
    );

    let paper = Paper {
        lines: Some(2),
        ..Paper::default()
    };
    let copy = paper.clone();
    let factory = TrafficLoggingFactory::new(|| Echo, move |_, _| Ok(copy.clone()));
    assert_eq!(echo_with(factory).take_sent().len(), 108);
    assert_eq!(paper.text().lines().count(), 2);
}

#[test]
fn outside_is_nearer_to_the_wire() {
    struct Doubling<F>(F);
    impl<F: Factory> Factory for Doubling<F> {
        fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
            self.0.build_protocol(transport)
        }
        fn wrapped(&mut self) -> Option<&mut dyn Factory> {
            Some(&mut self.0)
        }
    }
    let papers = [Paper::default(), Paper::default()];
    let [inner, outer] = papers.clone();
    let factory = TrafficLoggingFactory::new(|| Echo, move |_, _| Ok(inner.clone()));
    let factory = TrafficLoggingFactory::new(Doubling(factory), move |_, _| Ok(outer.clone()));
    let mut peer = StringTransport::builder().factory(factory);
    peer.receive("x");
    assert!(
        papers
            .iter()
            .all(|paper| paper.text().contains("< 1 \"x\"\n> 1 \"x\"\n"))
    );
}
