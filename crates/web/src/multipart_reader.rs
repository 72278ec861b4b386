//! Multipart bodies, part by part as they come.
//!
//! ```text
//!   Incoming ── chunk ──► MultipartDecoder ──► told: heads, slices of the chunk, ends ──► next_part, chunk
//! ```

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use ropewalk_grammar::Framing;
use ropewalk_grammar::http1::Name;
use ropewalk_grammar::multipart::{
    Boundary, BoundaryError, Limits, MultipartDecoder, MultipartEvent, PartHead,
};

use crate::form_data_error::FormDataError;
use crate::incoming::Incoming;
use crate::request::Request;

/// Reads the parts of a form as they come, at the reader's speed: for uploads that go on elsewhere.
///
/// The parts of a chunk that was received are kept as slices of it, so at most that is held.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Failure, Request, Router, Site};
///
/// async fn measure(request: Request) -> Result<String, Failure> {
///     let (mut parts, mut told) = (request.multipart()?, String::new());
///     while let Some(mut part) = parts.next_part().await? {
///         let (name, mut length) = (part.name().to_owned(), 0);
///         while let Some(chunk) = part.chunk().await? {
///             length += chunk.len();
///         }
///         told += &format!("{name}: {length} bytes;");
///     }
///     Ok(told)
/// }
///
/// let mut client = StringTransport::builder().factory(Site::new(Router::new().post("/", measure)));
/// let body = "--x\r\nContent-Disposition: form-data; name=tea\r\n\r\ngreen\r\n--x--\r\n";
/// let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n";
/// client.receive(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
/// client.settle();
/// assert!(client.take_sent().ends_with(b"\r\n\r\ntea: 5 bytes;"));
/// ```
pub struct MultipartReader {
    body: Incoming,
    decoder: MultipartDecoder,
    told: VecDeque<Told>,
}

enum Told {
    Part(Head),
    Data(Bytes),
    PartEnd,
    End,
    Error(FormDataError),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) filename: Option<String>,
    pub(crate) content_type: Option<String>,
}

/// A part of a form, whose content is on its way. What of it is not read is passed over.
pub struct FormPart<'a> {
    reader: &'a mut MultipartReader,
    pub(crate) head: Head,
    is_over: bool,
}

impl Request {
    /// The parts of a multipart form, within the default [`Limits`]: 128 parts, 16 MiB.
    ///
    /// # Errors
    ///
    /// The body is of another type (415), or its boundary is malformed (400).
    pub fn multipart(&self) -> Result<MultipartReader, FormDataError> {
        self.multipart_within(Limits::default())
    }

    /// The parts of a multipart form, within limits of your own.
    ///
    /// # Errors
    ///
    /// As [`multipart`](Self::multipart).
    pub fn multipart_within(&self, limits: Limits) -> Result<MultipartReader, FormDataError> {
        let content_type = self.header(Name::ContentType).unwrap_or_default();
        let boundary = match Boundary::of_content_type(content_type) {
            Err(BoundaryError::NotMultipart) => {
                return Err(FormDataError::Type(content_type.into()));
            }
            found => found.map_err(FormDataError::Boundary)?,
        };
        Ok(MultipartReader {
            body: self.body(),
            decoder: MultipartDecoder::form(boundary).with_limits(limits),
            told: VecDeque::new(),
        })
    }
}

impl MultipartReader {
    /// The next part; `None` once the last is over and the body has ended.
    ///
    /// # Errors
    ///
    /// The body ended early, is malformed, or has more than the limits say.
    pub async fn next_part(&mut self) -> Result<Option<FormPart<'_>>, FormDataError> {
        loop {
            match self.next().await? {
                None => return Ok(None),
                Some(Told::Part(head)) => {
                    return Ok(Some(FormPart {
                        reader: self,
                        head,
                        is_over: false,
                    }));
                }
                Some(_) => {}
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Told>, FormDataError> {
        loop {
            match self.told.pop_front() {
                Some(Told::Error(error)) => {
                    // Once broken it stays so.
                    self.told.push_front(Told::Error(error.clone()));
                    return Err(error);
                }
                Some(told) => return Ok(Some(told)),
                None => {}
            }
            let chunk = self.body.chunk().await.map_err(FormDataError::Body)?;
            match chunk {
                Some(chunk) => self.read(&chunk),
                None => return self.decoder.finish().map(|()| None).map_err(Into::into),
            }
        }
    }

    fn read(&mut self, chunk: &Bytes) {
        let mut input = self.decoder.receive(chunk);
        while let Some(event) = input.next_event() {
            self.told.push_back(match event {
                Ok(MultipartEvent::Part(head)) => Told::Part(Head::of(&head)),
                Ok(MultipartEvent::Data(data)) => Told::Data(shared(chunk, data)),
                Ok(MultipartEvent::PartEnd) => Told::PartEnd,
                Ok(MultipartEvent::End) => Told::End,
                Err(error) => Told::Error(error.into()),
            });
        }
    }
}

/// A slice of the chunk, if `data` is one; else it lay in the decoder, and is copied.
fn shared(chunk: &Bytes, data: &[u8]) -> Bytes {
    let (whole, part) = (chunk.as_ptr_range(), data.as_ptr_range());
    match whole.start <= part.start && part.end <= whole.end {
        true => chunk.slice_ref(data),
        false => Bytes::copy_from_slice(data),
    }
}

impl Head {
    fn of(head: &PartHead<'_>) -> Self {
        Self {
            name: head.name().unwrap_or_default().into_owned(),
            filename: head.filename().map(Into::into),
            content_type: head.content_type().map(Into::into),
        }
    }
}

impl FormPart<'_> {
    /// The name of the field.
    pub fn name(&self) -> &str {
        &self.head.name
    }

    /// What the client calls the file, without folders, if it is one; empty if a browser's user chose none. Store nothing under it.
    pub fn filename(&self) -> Option<&str> {
        self.head.filename.as_deref()
    }

    /// What the client says that the content is.
    pub fn content_type(&self) -> Option<&str> {
        self.head.content_type.as_deref()
    }

    /// The next bytes, never none; `None` at the end of the part.
    ///
    /// # Errors
    ///
    /// As [`MultipartReader::next_part`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FormDataError> {
        if self.is_over {
            return Ok(None);
        }
        match self.reader.next().await? {
            Some(Told::Data(data)) => Ok(Some(data)),
            _ => {
                self.is_over = true;
                Ok(None)
            }
        }
    }
}

impl fmt::Debug for MultipartReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MultipartReader({:?})", self.body)
    }
}

impl fmt::Debug for FormPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormPart({:?})", self.head)
    }
}
