//! What comes after lines: the next protocol, the next layer; and closures that are lent their protocol.

use std::time::Duration;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Deferred, Layer, Protocol, Transport};
use ropewalk_protocols::{LineProtocol, LineReceiver, Lines};
use ropewalk_testing::{Chunks, StringTransport};

/// Writes down what it got before the connection was its own.
#[derive(Default)]
struct Next(Vec<u8>);

impl Protocol for Next {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("ready;");
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.extend_from_slice(data);
        transport.write(data);
    }
}

struct Upgrading;

impl LineProtocol for Upgrading {
    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        match line {
            b"upgrade" => lines.switch_protocol(Next::default()),
            b"raw" => lines.set_raw_mode(),
            b"paused" => {
                lines.pause_reading();
                let soon = Duration::from_secs(1);
                lines.call_later(soon, |_: &mut Self, lines| {
                    lines.switch_protocol(Next::default());
                });
            }
            _ => lines.send_line(line).unwrap(),
        }
    }
    fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
        lines.set_line_mode(data.len() - 1);
        lines.switch_protocol(Next::default());
    }
}

#[test]
fn the_next_protocol_gets_every_byte_that_nobody_read() {
    let stream = "hello\r\nupgrade\r\nbytes\r\nof another kind";
    for bytes in 1..=stream.len() {
        let mut peer = StringTransport::new(LineReceiver::new(Upgrading));
        peer.receive_in_pieces(stream, Chunks::of(bytes));
        assert_eq!(
            peer.take_sent(),
            b"hello\r\nready;bytes\r\nof another kind",
            "in pieces of {bytes}"
        );
    }
}

#[test]
fn the_next_protocol_gets_what_was_handed_back_of_raw_bytes() {
    let mut peer = StringTransport::new(LineReceiver::new(Upgrading));
    peer.receive("raw\r\n0rest\r\n");
    assert_eq!(peer.take_sent(), b"ready;rest\r\n");
}

#[test]
fn the_next_protocol_may_be_asked_for_outside_of_a_handler() {
    let mut peer = StringTransport::new(LineReceiver::new(Upgrading));
    peer.receive("paused\r\nleft\r\n");
    peer.receive("over");
    peer.advance(Duration::from_secs(1));
    assert_eq!(peer.take_sent(), b"ready;", "reading is paused still");
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(peer.take_sent(), b"left\r\nover");
}

/// Turns every byte around.
struct Mirror;

impl Layer for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }
    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        data.iter_mut().for_each(|byte| *byte = !*byte);
        up(data);
        Ok(())
    }
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend(data.iter().map(|byte| !byte));
    }
}

struct StartTls;

impl LineProtocol for StartTls {
    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        if line == b"STARTTLS" {
            lines.send_line("go ahead").unwrap();
            lines.push_layer(Mirror);
            lines.send_line("under protection").unwrap();
        } else {
            lines.send_line([b"got ", line].concat()).unwrap();
        }
    }
}

fn mirrored(text: &str) -> Vec<u8> {
    text.bytes().map(|byte| !byte).collect()
}

#[test]
fn tls_11_a_layer_is_pushed_in_the_order_of_writes() {
    let mut peer = StringTransport::new(LineReceiver::new(StartTls));
    peer.receive_in_pieces("STARTTLS\r\n", Chunks::of(1));
    peer.receive_in_pieces(mirrored("EHLO\r\n"), Chunks::of(1));
    let expected = [
        b"go ahead\r\n".to_vec(),
        mirrored("under protection\r\ngot EHLO\r\n"),
    ]
    .concat();
    assert_eq!(peer.take_sent(), expected);
}

#[test]
fn tls_11_bytes_in_clear_behind_the_command_end_the_connection_and_nobody_sees_them() {
    for early in ["x", "RCPT TO:<victim>\r\n"] {
        let mut peer = StringTransport::new(LineReceiver::new(StartTls));
        peer.receive(format!("STARTTLS\r\n{early}"));
        assert!(!peer.take_sent().windows(3).any(|sent| sent == b"got"));
        let reason = peer.lost_reason().unwrap().to_string();
        assert!(
            reason.contains(&format!("{} bytes", early.len())),
            "{reason}"
        );
    }
}

#[test]
fn a_handler_sees_what_waits_behind_its_line() {
    struct Counting(Vec<usize>);
    impl LineProtocol for Counting {
        fn line_received(&mut self, lines: &Lines, _: &[u8]) {
            self.0.push(lines.unread_bytes());
        }
    }
    let mut peer = StringTransport::new(LineReceiver::new(Counting(Vec::new())));
    peer.receive("a\r\nbc\r\nunf");
    peer.receive("inished\r\nx");
    assert_eq!(
        peer.protocol(|counting: &mut Counting| counting.0.clone()),
        [7, 3, 1]
    );
    let lines = peer.protocol(|receiver: &mut LineReceiver<Counting>| receiver.lines().cloned());
    assert_eq!(lines.unwrap().unread_bytes(), 1);
}

#[test]
fn lent_closures_get_the_protocol_inside_together_with_its_lines() {
    struct Lender;
    impl LineProtocol for Lender {
        fn connection_made(&mut self, lines: &Lines) {
            lines.call_later(Duration::from_secs(1), |_: &mut Self, lines| {
                lines.send_line("timer").unwrap();
            });
            let ready = Deferred::succeed(lines.reactor(), 7);
            lines.when(ready, |_: &mut Self, lines, result| {
                lines
                    .send_line(format!("deferred {}", result.unwrap()))
                    .unwrap();
            });
        }
        fn line_received(&mut self, _: &Lines, _: &[u8]) {}
        fn timed_out(&mut self, lines: &Lines) {
            lines.send_line("too late").unwrap();
            lines.lose_connection();
        }
    }
    let mut peer = StringTransport::new(LineReceiver::new(Lender));
    peer.settle();
    assert_eq!(peer.take_sent(), b"deferred 7\r\n");
    peer.advance(Duration::from_secs(1));
    assert_eq!(peer.take_sent(), b"timer\r\n");
    peer.transport().set_timeout(Some(Duration::from_secs(5)));
    peer.advance(Duration::from_secs(5));
    assert_eq!(peer.take_sent(), b"too late\r\n");
    assert!(peer.is_disconnected());
}
