//! What a message carries: the bytes of a response on their way to the client, or of a request on their way to a server.

use std::collections::VecDeque;
use std::fmt;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Frame, SizeHint};
use ropewalk_core::Failure;
use ropewalk_core::buffer::FileRange;

/// The content of a message: bytes that are here, or a stream that is pulled at the speed of the peer.
///
/// A stream is asked for its next piece only when the peer has taken most of what came before, and is dropped when the peer
/// leaves. It implements [`http_body::Body`], and takes any other that does.
///
/// ```
/// use ropewalk_web::Body;
///
/// assert_eq!(Body::from("tea").known_length(), Some(3));
/// assert_eq!(Body::empty().known_length(), Some(0));
/// ```
#[derive(Default)]
pub struct Body(pub(crate) Content);

pub(crate) enum Content {
    Bytes(Bytes),
    Stream(Source),
    /// Bytes and stretches of files, one behind the other.
    Joined(VecDeque<Piece>),
    /// They will be ordered one by one.
    Pieces,
}

/// A part of a body whose bytes are here, or can be had whenever.
pub(crate) enum Piece {
    Bytes(Bytes),
    File(FileRange),
}

impl Piece {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.len() as u64,
        }
    }
}

/// How much of a file is read at a time, where somebody wants the bytes instead of the file.
const READ_BYTES: usize = 64 * 1024;

/// Where the pieces of a stream come from.
pub(crate) type Source = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Failure>>>;

impl Body {
    /// No bytes.
    pub const fn empty() -> Self {
        Self(Content::Bytes(Bytes::new()))
    }

    /// A stretch of a file, which is read as the peer takes it, by the kernel where nothing between needs its bytes.
    pub fn file(range: FileRange) -> Self {
        Self::joined([Piece::File(range)])
    }

    /// One behind the other.
    pub(crate) fn joined(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut pieces = pieces.into_iter().peekable();
        match (pieces.next(), pieces.peek()) {
            (None, _) => Self::empty(),
            (Some(Piece::Bytes(bytes)), None) => Self(Content::Bytes(bytes)),
            (Some(first), _) => {
                let pieces = iter::once(first).chain(pieces);
                Self(Content::Joined(pieces.collect()))
            }
        }
    }

    /// The pieces of a stream, whose number of bytes is not known: sent in chunks. An error cuts the message short, so that the peer
    /// sees that it is not whole.
    pub fn stream<E: Into<Failure> + 'static>(
        stream: impl Stream<Item = Result<Bytes, E>> + 'static,
    ) -> Self {
        Self(Content::Stream(Box::pin(Pieces(Box::pin(stream)))))
    }

    /// What another library calls a body.
    pub fn wrap<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error: Into<Failure>> + 'static,
    {
        Self(Content::Stream(Box::pin(Wrapped(Box::pin(body)))))
    }

    /// How many bytes it has, if that is known before they are sent.
    pub fn known_length(&self) -> Option<u64> {
        http_body::Body::size_hint(self).exact()
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut self.0 {
            Content::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(source) => source.as_mut().poll_frame(context),
            Content::Joined(pieces) => {
                Poll::Ready(next_bytes(pieces).map(|read| read.map(Frame::data)))
            }
            Content::Pieces => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(source) => source.size_hint(),
            Content::Joined(pieces) => SizeHint::with_exact(pieces.iter().map(Piece::len).sum()),
            Content::Pieces => SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Stream(source) => source.is_end_stream(),
            Content::Joined(pieces) => pieces.iter().all(|piece| piece.len() == 0),
            Content::Pieces => false,
        }
    }
}

/// The next bytes of a body that is joined of pieces, for those who change it on its way.
fn next_bytes(pieces: &mut VecDeque<Piece>) -> Option<Result<Bytes, Failure>> {
    loop {
        match pieces.front_mut()? {
            piece if piece.len() == 0 => drop(pieces.pop_front()),
            Piece::Bytes(bytes) => return Some(Ok(std::mem::take(bytes))),
            Piece::File(range) => {
                let mut read = Vec::new();
                let outcome = range.read(&mut read, READ_BYTES);
                return Some(outcome.map(|()| read.into()).map_err(Into::into));
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_length() {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => f.write_str("Body(a stream)"),
        }
    }
}

macro_rules! body_from {
    ($($kind:ty),*) => {
        $(
            impl From<$kind> for Body {
                fn from(bytes: $kind) -> Self {
                    Self(Content::Bytes(bytes.into()))
                }
            }
        )*
    };
}

body_from!(
    Bytes,
    &'static str,
    String,
    &'static [u8],
    Vec<u8>,
    Box<[u8]>
);

struct Pieces<S>(Pin<Box<S>>);

impl<S, E> http_body::Body for Pieces<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<Failure>,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let next = ready!(self.0.as_mut().poll_next(context));
        Poll::Ready(next.map(|piece| piece.map(Frame::data).map_err(Into::into)))
    }
}

struct Wrapped<B>(Pin<Box<B>>);

impl<B> http_body::Body for Wrapped<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<Failure>>,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let next = ready!(self.0.as_mut().poll_frame(context));
        Poll::Ready(next.map(|frame| frame.map_err(Into::into)))
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
}
