//! The small services of the early internet: echo, discard, character generator, quote of the day.
//!
//! For: first programs, tests, and a look at how little a protocol needs. Not for: services that need a calendar (daytime,
//! time) or know who is logged in.

use ropewalk_core::{Producer, Protocol, Transport};

/// Sends back what it receives (RFC 862).
///
/// ```
/// use ropewalk_protocols::wire::Echo;
/// use ropewalk_testing::StringTransport;
///
/// let mut peer = StringTransport::new(Echo);
/// peer.receive("hello");
/// assert_eq!(peer.take_sent(), b"hello");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Throws away what it receives (RFC 863).
///
/// ```
/// use ropewalk_protocols::wire::Discard;
/// use ropewalk_testing::StringTransport;
///
/// let mut peer = StringTransport::new(Discard);
/// peer.receive("hello");
/// assert!(peer.take_sent().is_empty());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Protocol for Discard {
    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

/// Sends lines of characters as long and as fast as the peer reads them, and throws away what it receives (RFC 864).
///
/// ```
/// use ropewalk_core::{Protocol, Reactor, Transport};
/// use ropewalk_protocols::wire::Chargen;
/// use ropewalk_sim::SimDriver;
///
/// struct Reader;
/// impl Protocol for Reader {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         assert!(data.starts_with(b" !\"#$%&'()*+,-./0123456789:;<=>?@ABC"));
///         transport.reactor().stop().unwrap();
///     }
/// }
///
/// let mut reactor = Reactor::new(SimDriver::alone(19));
/// reactor.listen("tcp:19", || Chargen).unwrap();
/// reactor.connect("tcp:10.0.0.1:19", || Reader).unwrap();
/// reactor.run().unwrap();
/// ```
#[doc(alias = "CharGen")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Chargen;

impl Protocol for Chargen {
    fn connection_made(&mut self, transport: &Transport) {
        let characters = Characters { first: 0 };
        transport
            .register_producer(characters, false)
            .expect("a new connection has no producer");
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}

    fn eof_received(&mut self, transport: &Transport) {
        transport.unregister_producer();
        transport.lose_connection();
    }

    /// There is no end to wait for.
    fn shutting_down(&mut self, transport: &Transport) {
        self.eof_received(transport);
    }
}

/// Writes some lines each time that the queue runs empty.
struct Characters {
    /// Where in the ring the next line begins.
    first: usize,
}

/// The printable characters of ASCII, the ring of RFC 864.
const RING: usize = b'~' as usize - b' ' as usize + 1;
/// Characters of a line, before CRLF.
const LINE: usize = 72;
/// Lines of one piece: about 16 KiB.
const LINES: usize = 220;

impl Producer for Characters {
    fn resume_producing(&mut self, transport: &Transport) {
        transport.write_with(|out| {
            for _ in 0..LINES {
                out.extend((0..LINE).map(|column| b' ' + ((self.first + column) % RING) as u8));
                out.extend_from_slice(b"\r\n");
                self.first = (self.first + 1) % RING;
            }
        });
    }
}

/// Sends a quote and ends the connection (RFC 865).
///
/// ```
/// use ropewalk_protocols::wire::Qotd;
/// use ropewalk_testing::StringTransport;
///
/// let mut peer = StringTransport::new(Qotd::new("An apple a day keeps the doctor away.\r\n"));
/// assert_eq!(peer.take_sent(), b"An apple a day keeps the doctor away.\r\n");
/// assert!(peer.is_disconnected());
/// ```
#[doc(alias = "QOTD")]
#[derive(Clone, Debug)]
pub struct Qotd(String);

impl Qotd {
    /// This quote.
    #[must_use]
    pub fn new(quote: impl Into<String>) -> Self {
        Self(quote.into())
    }
}

impl Protocol for Qotd {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&self.0);
        transport.lose_connection();
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}
