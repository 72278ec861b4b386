//! Writes down what every connection of a factory says and hears.
//!
//! For: debugging. Not for: production, where it would write passwords down; nor for the log, which is `tracing`'s.

use std::fmt;
use std::io::{self, Write};

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Layer, Protocol, Transport};

/// Writes the traffic of each connection to a place of its own: a file, standard error, a vector.
///
/// The bytes are those on the wire if this is the outermost factory, and those above TLS if it is within TLS's factory. A
/// line for each piece: `<` what came, `>` what left, how many bytes and their beginning.
///
/// ```
/// use std::{fs::File, io::stderr};
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_protocols::TrafficLoggingFactory;
///
/// # struct Echo;
/// # impl Protocol for Echo {
/// #     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
/// #         transport.write(data);
/// #     }
/// # }
/// // Into echo-1.log, echo-2.log, …
/// let factory = TrafficLoggingFactory::new(|| Echo, |_, number| File::create(format!("echo-{number}.log")));
/// // Everything, in hexadecimal digits.
/// let factory = TrafficLoggingFactory::new(|| Echo, |_, _| Ok(stderr()))
///     .with_style(ropewalk_protocols::TrafficStyle::Hex)
///     .with_shown_bytes(usize::MAX);
/// ```
#[doc(alias = "SpewingFactory")]
pub struct TrafficLoggingFactory<F> {
    factory: F,
    open: Box<Open>,
    style: TrafficStyle,
    shown_bytes: usize,
    count: u64,
}

type Open = dyn FnMut(&Address, u64) -> io::Result<Box<dyn Write>>;

/// How bytes are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrafficStyle {
    /// As text, with everything that is not printable escaped: `"GET / HTTP/1.1\r\n"`.
    #[default]
    Text,
    /// In hexadecimal digits: `16 03 01`.
    Hex,
}

impl<F: Factory> TrafficLoggingFactory<F> {
    /// How many bytes of each piece are shown, unless another number is given.
    pub const DEFAULT_SHOWN_BYTES: usize = 64;

    /// Writes the traffic of each connection to what `open` gives for its peer and its number, counted from 1. If that
    /// fails the connection goes on without a log, and a warning says so.
    ///
    /// Writing happens on the reactor's turn: a place that is slow to write to makes the reactor slow.
    #[must_use]
    pub fn new<W: Write + 'static>(
        factory: F,
        mut open: impl FnMut(&Address, u64) -> io::Result<W> + 'static,
    ) -> Self {
        let open = move |peer: &Address, number| {
            open(peer, number).map(|place| Box::new(place) as Box<dyn Write>)
        };
        let (style, shown_bytes) = (TrafficStyle::default(), Self::DEFAULT_SHOWN_BYTES);
        Self {
            factory,
            open: Box::new(open),
            style,
            shown_bytes,
            count: 0,
        }
    }

    /// Writes bytes in this style.
    #[must_use]
    pub fn with_style(mut self, style: TrafficStyle) -> Self {
        self.style = style;
        self
    }

    /// Shows so many bytes of each piece, and tells how many more there were.
    #[must_use]
    pub fn with_shown_bytes(mut self, bytes: usize) -> Self {
        self.shown_bytes = bytes;
        self
    }
}

impl<F: Factory> Factory for TrafficLoggingFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        self.count += 1;
        let mut layers: Vec<Box<dyn Layer>> = Vec::new();
        match (self.open)(peer, self.count) {
            Ok(place) => {
                let (style, shown_bytes) = (self.style, self.shown_bytes);
                let mut log = TrafficLog {
                    place: Some(place),
                    style,
                    shown_bytes,
                    received: 0,
                    sent: 0,
                };
                log.write(format_args!("# {peer}"));
                layers.push(Box::new(log));
            }
            Err(error) => {
                tracing::warn!(%peer, %error, "the traffic of a connection cannot be logged");
            }
        }
        layers.append(&mut self.factory.layers(peer));
        layers
    }
}

/// The log of one connection.
struct TrafficLog {
    /// Where to write; none after an error.
    place: Option<Box<dyn Write>>,
    style: TrafficStyle,
    shown_bytes: usize,
    received: u64,
    sent: u64,
}

impl TrafficLog {
    fn write(&mut self, line: fmt::Arguments<'_>) {
        if let Some(place) = &mut self.place
            && let Err(error) = writeln!(place, "{line}")
        {
            tracing::warn!(%error, "the traffic of a connection is no longer logged");
            self.place = None;
        }
    }

    fn piece(&mut self, sign: char, data: &[u8]) {
        let shown = &data[..data.len().min(self.shown_bytes)];
        let (length, more) = (data.len(), More(data.len() - shown.len()));
        match self.style {
            TrafficStyle::Text => {
                self.write(format_args!(
                    "{sign} {length} \"{}\"{more}",
                    shown.escape_ascii()
                ));
            }
            TrafficStyle::Hex => self.write(format_args!("{sign} {length}{}{more}", Hex(shown))),
        }
    }
}

impl Layer for TrafficLog {
    fn name(&self) -> &'static str {
        "traffic log"
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        self.received += data.len() as u64;
        self.piece('<', data);
        up(data);
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        self.sent += data.len() as u64;
        self.piece('>', data);
        down.extend_from_slice(data);
    }

    fn eof(&mut self) -> Result<(), LayerError> {
        self.write(format_args!("< end"));
        Ok(())
    }
}

impl Drop for TrafficLog {
    fn drop(&mut self) {
        let (received, sent) = (self.received, self.sent);
        self.write(format_args!("# received {received} bytes, sent {sent}"));
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}

struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
