//! A meter of work done, in bytes looked at or moved, for the tests that hold cost linear.
//!
//! Not for use outside tests: without `cfg(test)` it compiles to nothing.

/// Adds `bytes` to the meter of this thread.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn spend(_bytes: usize) {}

#[cfg(test)]
pub(crate) use meter::spend;

#[cfg(test)]
pub(crate) mod meter {
    use std::cell::Cell;

    thread_local! {
        static SPENT: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn spend(bytes: usize) {
        SPENT.set(SPENT.get() + bytes);
    }

    /// What `work` spent.
    pub(crate) fn of(work: impl FnOnce()) -> usize {
        let before = SPENT.get();
        work();
        SPENT.get() - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::{Event, RequestDecoder};
    use crate::multipart::{Boundary, MultipartDecoder};
    use crate::nats::NatsGrammar;
    use crate::proxy::ProxyDecoder;
    use crate::resp::RespGrammar;
    use crate::websocket::{Decoder, Role};
    use crate::{
        Framing, Input, LengthPrefixedGrammar, LineEvent, LineGrammar, NetstringGrammar, Width,
    };

    /// Steps allowed per received byte: one to look, one to keep, up to two to move, one to join.
    const PER_BYTE: usize = 5;

    /// Feeds `data` in chunks of `size`; `pull` takes an event and says whether to go on now.
    fn feed<G: Framing>(
        grammar: &mut G,
        data: &[u8],
        size: usize,
        mut pull: impl FnMut(&mut Input<'_, G>) -> bool,
    ) {
        for chunk in data.chunks(size) {
            let mut input = grammar.receive(chunk);
            while pull(&mut input) {}
            drop(input);
            assert_lean(grammar);
        }
    }

    /// Memory is in proportion to what waits; eight bytes are the least that is allocated.
    fn assert_lean<G: Framing>(grammar: &G) {
        let backlog = grammar.backlog();
        let allowed = if backlog.is_empty() {
            0
        } else {
            4 * backlog.len() + 8
        };
        assert!(
            backlog.capacity() <= allowed,
            "{} for {}",
            backlog.capacity(),
            backlog.len()
        );
    }

    fn assert_linear<G: Framing + Clone>(fresh: &G, data: &[u8]) {
        for size in [1, 2, 3, 1000, data.len()] {
            let mut grammar = fresh.clone();
            let spent = meter::of(|| {
                feed(&mut grammar, data, size, |input| {
                    input.next_event().is_some()
                });
            });
            assert!(
                spent <= PER_BYTE * data.len(),
                "{spent} for {} by {size}",
                data.len()
            );
            assert_eq!(grammar.buffered(), 0);
        }
    }

    #[test]
    fn law_linear_cost_line() {
        let longest = [&[b'x'; LineGrammar::DEFAULT_LIMIT_BYTES][..], b"\r\n"].concat();
        assert_linear(&LineGrammar::new(), &longest.repeat(3));
        assert_linear(&LineGrammar::new(), &b"\r\n".repeat(30_000));
        assert_linear(&LineGrammar::new(), &b"\n\n\r\r\r\n".repeat(10_000));
    }

    #[test]
    fn law_linear_cost_length_prefixed() {
        let grammar = LengthPrefixedGrammar::new(Width::Bits32);
        let mut wire = Vec::new();
        for length in [99_999, 0, 1, 99_999] {
            grammar.send(&vec![0; length], &mut wire).unwrap();
        }
        assert_linear(&grammar, &wire);
        assert_linear(&grammar, &[0; 60_000]);
    }

    #[test]
    fn law_linear_cost_netstring() {
        let grammar = NetstringGrammar::new();
        let mut wire = Vec::new();
        for length in [99_999, 0, 1, 99_999] {
            grammar.send(&vec![b'1'; length], &mut wire).unwrap();
        }
        assert_linear(&grammar, &wire);
        assert_linear(&grammar, &b"0:,".repeat(20_000));
    }

    #[test]
    fn law_linear_cost_nats_and_resp() {
        let payload = [b"MSG a 1 90000\r\n", &[b'x'; 90_000][..], b"\r\n"].concat();
        let info = format!("INFO {{{}}}\r\n", " ".repeat(60_000));
        let nats = [payload, info.into_bytes(), b"PING\r\n".repeat(5000)].concat();
        assert_linear(&NatsGrammar::new(), &nats);
        let bytes = [b"$90000\r\n", &[b'x'; 90_000][..], b"\r\n"].concat();
        let text = format!("+{}\r\n", "x".repeat(60_000));
        let many = [b"*4000\r\n", &b"_\r\n".repeat(4000)[..]].concat();
        let resp = [bytes, text.into_bytes(), many, b":1\r\n".repeat(5000)].concat();
        assert_linear(&RespGrammar::new(), &resp);
    }

    #[test]
    fn no_memory_by_declared_length_in_nats_and_resp() {
        let mut nats = NatsGrammar::new().with_limit_bytes(usize::MAX);
        let data = b"MSG a 1 999999999999\r\nabc";
        assert!(nats.receive(data).next_event().is_none());
        assert!(nats.backlog().capacity() <= 64);
        let mut resp = RespGrammar::new().with_limit_bytes(usize::MAX);
        let data = b"*4000\r\n$99999999999\r\nabc";
        assert!(resp.receive(data).next_event().is_none());
        assert!(resp.backlog().capacity() <= 64);
    }

    #[test]
    fn law_linear_cost_proxy() {
        let declared = u16::MAX.to_be_bytes();
        let binary = [b"\r\n\r\n\0\r\nQUIT\n\x20\0", &declared[..], &[0; 65_535]].concat();
        for data in [&b"PROXY UNKNOWN\r\n".repeat(5000), &binary.repeat(3)] {
            for size in [1, 2, 1000, data.len()] {
                let mut decoder = ProxyDecoder::new().with_limit_bytes(usize::MAX);
                let spent = meter::of(|| {
                    for mut chunk in data.chunks(size) {
                        while let Some((_, used)) = decoder.receive(chunk).unwrap() {
                            chunk = &chunk[used..];
                        }
                    }
                });
                assert_eq!((spent, decoder.buffered()), (data.len(), 0), "by {size}");
            }
        }
    }

    /// A delimiter that almost comes, again and again; heads; parts.
    #[test]
    fn law_linear_cost_multipart() {
        let boundary = Boundary::new(&"-".repeat(70)).unwrap();
        let head = format!(
            "Content-Disposition: form-data; name=\"{}\"",
            "n".repeat(400)
        );
        let part = format!("--{boundary}\r\n{head}\r\n\r\n");
        let almost = format!("\r\n--{}", "-".repeat(69)).repeat(20);
        let body = format!("{part}{almost}x\r\n{part}{}\r\n", "y".repeat(3000)).repeat(20);
        assert_linear(
            &MultipartDecoder::form(boundary),
            body.trim_end().as_bytes(),
        );
    }

    /// Chunk lines are looked at byte by byte and never kept; all else is searched, joined, given back and kept at most once each.
    #[test]
    fn law_linear_cost_http1() {
        let head = |length: usize| {
            let fields = "X: y\r\n".repeat(50) + "Long:" + &" ".repeat(2000);
            let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n", "x".repeat(length));
            format!("{line}{fields}{} \r\n\r\n", "\tx".repeat(2000))
        };
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
            + &"1\r\nx\r\n".repeat(3000)
            + "5;ext=\"quoted\"\r\nhello\r\n0\r\n"
            + &format!("Trailer-x: {}\r\n\r\n", "x".repeat(9000));
        let body = format!(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n{}",
            "x".repeat(50_000)
        );
        let tiny = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2000);
        for data in [head(8000).repeat(3), chunked, body, tiny] {
            for size in [1, 2, 3, 1000, 1500, data.len()] {
                let mut decoder = RequestDecoder::new();
                let spent = meter::of(|| {
                    for chunk in data.as_bytes().chunks(size) {
                        let mut input = decoder.receive(chunk);
                        while let Some(event) = input.next_event() {
                            event.unwrap();
                        }
                        drop(input);
                        let (waits, held) = (decoder.buffered(), decoder.held_bytes());
                        assert!(held <= 4 * waits + 8, "{held} for {waits}");
                    }
                });
                assert!(
                    spent <= PER_BYTE * data.len(),
                    "{spent} for {} by {size}",
                    data.len()
                );
                assert_eq!(decoder.buffered(), 0);
            }
        }
    }

    /// Joined are heads of frames and messages that are cut; a text may be looked at once more.
    #[test]
    fn law_linear_cost_websocket() {
        let head = |first: u8, length: u16| {
            let [high, low] = length.to_be_bytes();
            [&[first, 0xfe, high, low][..], &[1, 2, 3, 4]].concat()
        };
        let large = [head(0x82, 50_000), vec![0; 50_000]].concat();
        let fragments = [head(0x02, 1000), vec![0; 1000]].concat();
        let fragments = [
            fragments,
            [head(0, 1000), vec![0; 1000]].concat().repeat(40),
        ]
        .concat();
        let empty = [
            &b"\x02\x80\x01\x02\x03\x04"[..],
            &b"\0\x80\x01\x02\x03\x04".repeat(9000),
        ]
        .concat();
        let tiny = b"\x81\x81\0\0\0\0x\x89\x80\0\0\0\0".repeat(3000);
        for data in [large, fragments, empty, tiny] {
            for size in [1, 2, 3, 1000, 1500, data.len()] {
                let mut decoder = Decoder::new(Role::Server);
                let spent = meter::of(|| {
                    for chunk in data.clone().chunks_mut(size) {
                        let mut input = decoder.receive(chunk);
                        while let Some(event) = input.next_event() {
                            event.unwrap();
                        }
                        drop(input);
                        let (waits, held) = (decoder.buffered(), decoder.held_bytes());
                        assert!(held <= 4 * waits + 8, "{held} for {waits}");
                    }
                });
                assert!(
                    spent <= PER_BYTE * data.len(),
                    "{spent} for {} by {size}",
                    data.len()
                );
            }
        }
    }

    #[test]
    fn ws_02_no_memory_by_declared_length() {
        let mut decoder = Decoder::new(Role::Server).with_limit_bytes(usize::MAX);
        let mut data = *b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0abc";
        assert_eq!(decoder.receive(&mut data).next_event(), None);
        assert!(decoder.held_bytes() <= 16, "{}", decoder.held_bytes());
    }

    #[test]
    fn law_linear_cost_of_a_pause_after_every_message() {
        let mut data = b"\x81\x81\0\0\0\0x".repeat(10_000);
        let mut decoder = Decoder::new(Role::Server);
        let mut messages = 0;
        let spent = meter::of(|| {
            drop(decoder.receive(&mut data));
            while decoder.buffered() > 0 {
                messages += usize::from(decoder.receive(&mut []).next_event().is_some());
            }
        });
        assert_eq!((messages, decoder.held_bytes()), (10_000, 0));
        assert!(spent <= PER_BYTE * data.len(), "{spent} for {}", data.len());
    }

    #[test]
    fn law_linear_cost_of_a_pause_after_every_request() {
        let data = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(5000);
        let mut decoder = RequestDecoder::new();
        let mut ends = 0;
        let spent = meter::of(|| {
            drop(decoder.receive(&data));
            while decoder.buffered() > 0 {
                let mut input = decoder.receive(&[]);
                assert!(matches!(input.next_event(), Some(Ok(Event::Head(_)))));
                ends += usize::from(matches!(input.next_event(), Some(Ok(Event::End))));
            }
        });
        assert_eq!((ends, decoder.held_bytes()), (5000, 0));
        assert!(spent <= PER_BYTE * data.len(), "{spent} for {}", data.len());
    }

    #[test]
    fn law_linear_cost_of_a_pause_after_every_line() {
        let data = b"a line\r\n".repeat(20_000);
        let mut grammar = LineGrammar::new();
        let mut lines = 0;
        let spent = meter::of(|| {
            drop(grammar.receive(&data));
            while grammar.buffered() > 0 {
                lines += usize::from(grammar.receive(&[]).next_event().is_some());
                assert_lean(&grammar);
            }
        });
        assert_eq!(lines, 20_000);
        assert!(spent <= PER_BYTE * data.len(), "{spent} for {}", data.len());
    }

    #[test]
    fn r121_thousands_of_mode_switches_cost_no_more_than_their_bytes() {
        let data = b"raw\r\nbody".repeat(20_000);
        for waited in [false, true] {
            let mut grammar = LineGrammar::new();
            let mut pull = |input: &mut Input<'_, LineGrammar>| {
                match input.next_event() {
                    Some(Ok(LineEvent::Line(_))) => input.set_raw(),
                    Some(Ok(LineEvent::Raw(data))) => {
                        let unread = data.len() - 4;
                        input.set_line(unread);
                    }
                    _ => return false,
                }
                true
            };
            let spent = meter::of(|| {
                if waited {
                    drop(grammar.receive(&data));
                    feed(&mut grammar, b"raw\r\nbody", 9, &mut pull);
                } else {
                    feed(&mut grammar, &data, data.len(), &mut pull);
                }
            });
            assert_eq!(grammar.buffered(), 0);
            assert!(spent <= PER_BYTE * data.len(), "{spent} for {}", data.len());
        }
    }

    #[test]
    fn r123_no_memory_by_declared_length() {
        let mut grammar = LengthPrefixedGrammar::new(Width::Bits32).with_limit_bytes(usize::MAX);
        assert_eq!(grammar.receive(b"\xff\xff\xff\xffabc").next_event(), None);
        assert!(grammar.backlog().capacity() <= 16);
        let mut grammar = NetstringGrammar::new().with_limit_bytes(usize::MAX);
        assert_eq!(grammar.receive(b"9999999999999999:abc").next_event(), None);
        assert!(grammar.backlog().capacity() <= 32);
    }
}
