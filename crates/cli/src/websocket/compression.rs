//! Compression, as both ends may be told of it.

use ropewalk::web::websocket::Deflate;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Compression {
    /// Compress messages, if the peer does, too (permessage-deflate)
    #[arg(long, visible_alias = "deflate")]
    compress: bool,
    /// Let compressed messages refer to those before them: smaller, but each connection keeps a window of memory
    #[arg(long, requires = "compress")]
    context_takeover: bool,
    /// The largest window of compression, as a power of two
    #[arg(long, value_name = "BITS", requires = "compress", default_value_t = 15, value_parser = clap::value_parser!(u8).range(9..=15))]
    window_bits: u8,
}

impl Compression {
    pub(super) fn deflate(&self) -> Option<Deflate> {
        self.compress.then(|| {
            let deflate = Deflate::new().with_context_takeover(self.context_takeover);
            deflate.with_window_bits(self.window_bits)
        })
    }
}
