//! What a form sends, in either of the two encodings.

use std::path::PathBuf;

use ropewalk_grammar::http1::Name;
use ropewalk_grammar::multipart;

use crate::form::{Form, FormError, FormLimits};
use crate::form_data_error::FormDataError;
use crate::multipart_reader::{FormPart, MultipartReader};
use crate::request::Request;
use crate::upload::{Spool, Upload};

/// The fields and files of a form: texts in memory, files in memory or on disk. A name may come more than once (R140).
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Failure, Request, Router, Site};
///
/// async fn order(request: Request) -> Result<String, Failure> {
///     let form = request.form().await?;
///     let tea = form.value("tea").unwrap_or("black");
///     Ok(format!("{tea}, {} extras", form.values("extra").count()))
/// }
///
/// let mut client = StringTransport::builder().factory(Site::new(Router::new().post("/", order)));
/// let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n";
/// client.receive(format!("{head}Content-Length: 30\r\n\r\ntea=green&extra=milk&extra=tin"));
/// client.settle();
/// assert!(client.take_sent().ends_with(b"\r\n\r\ngreen, 2 extras"));
/// ```
#[derive(Debug, Default)]
pub struct FormData {
    fields: Vec<(String, String)>,
    files: Vec<(String, Upload)>,
}

/// How much a form may send, and where its files lie.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UploadLimits {
    /// Of a url-encoded form.
    pub form: FormLimits,
    /// Of a multipart form: 128 parts, 16 MiB each and in all, by default (H1-24).
    pub multipart: multipart::Limits,
    /// How many bytes the names and texts of a multipart form have in all, which lie in memory: 2 MiB, or what the site allows for collected
    /// bodies, if that is less (H1-16).
    pub field_bytes: u64,
    /// How many bytes of files of a form may lie in memory, in all: 100 000 (R140). What is more goes to temporary files, so that many
    /// uploads at once cost disk and not memory.
    pub memory_bytes: usize,
    /// Where temporary files are made; by default where the system has them. On the file system where the files will stay, keeping one is
    /// renaming it.
    pub directory: Option<PathBuf>,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            form: FormLimits::default(),
            multipart: multipart::Limits::default(),
            field_bytes: 2 * 1024 * 1024,
            memory_bytes: 100_000,
            directory: None,
        }
    }
}

impl Request {
    /// The parameters of the query: names may come more than once, blank values are kept, `&` and `;` part (R140).
    ///
    /// # Errors
    ///
    /// There are more than [`FormLimits::pairs`] (413).
    pub fn args(&self) -> Result<Form<'_>, FormError> {
        Form::parse(self.query().unwrap_or_default())
    }

    /// The fields and files of the form in the body, url-encoded or multipart, within the default limits.
    ///
    /// # Errors
    ///
    /// The body is no form (415), is malformed (400) or too large (413), or ended early; by `?` in a handler that is the answer, with what
    /// is wrong in it. A file cannot be stored (500).
    pub async fn form(&self) -> Result<FormData, FormDataError> {
        self.form_within(&UploadLimits::default()).await
    }

    /// The same within limits of your own.
    ///
    /// # Errors
    ///
    /// As [`form`](Self::form).
    pub async fn form_within(&self, limits: &UploadLimits) -> Result<FormData, FormDataError> {
        let content_type = self.header(Name::ContentType).unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let most = self.body_limit().min(limits.form.bytes as u64);
            let text = self.body().collect(most).await?;
            return Ok(FormData::of(&Form::parse_within(&text, &limits.form)?));
        }
        if !essence.eq_ignore_ascii_case("multipart/form-data") {
            return Err(FormDataError::Type(content_type.into()));
        }
        let mut reader = self.multipart_within(limits.multipart)?;
        let field_bytes = limits.field_bytes.min(self.body_limit());
        Collector::new(self, limits, field_bytes)
            .collect(&mut reader)
            .await
    }

    /// The parameters of the query and behind them the fields of the form, as Twisted's `args` has them (R140); a request without a body
    /// has no form. Where the two mean different things, take [`args`](Self::args) or [`form`](Self::form), so that a link cannot
    /// fill in a form.
    ///
    /// # Errors
    ///
    /// As [`form`](Self::form).
    pub async fn args_and_form(&self) -> Result<FormData, FormDataError> {
        let mut all = FormData::of(&self.args()?);
        if !self.body().is_ended() {
            let form = self.form().await?;
            all.fields.extend(form.fields);
            all.files = form.files;
        }
        Ok(all)
    }
}

impl FormData {
    fn of(form: &Form<'_>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            fields: form.iter().map(own).collect(),
            files: Vec::new(),
        }
    }

    /// The last text of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next_back()
    }

    /// All texts of that name, in order.
    pub fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &str> {
        self.iter()
            .filter_map(move |(found, value)| (found == name).then_some(value))
    }

    /// All names and texts, in order, without files.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The last file of that name. A field for a file in which none was chosen is left out.
    pub fn file(&self, name: &str) -> Option<&Upload> {
        self.files()
            .filter_map(|(found, file)| (found == name).then_some(file))
            .next_back()
    }

    /// All files, in order, with the names of their fields.
    pub fn files(&self) -> impl DoubleEndedIterator<Item = (&str, &Upload)> {
        self.files.iter().map(|(name, file)| (&**name, file))
    }

    /// The same, to be kept.
    pub fn into_files(self) -> impl DoubleEndedIterator<Item = (String, Upload)> {
        self.files.into_iter()
    }
}

/// Collects a multipart form.
struct Collector<'a> {
    request: &'a Request,
    limits: &'a UploadLimits,
    field_bytes: u64,
    fields_left: u64,
    memory_left: usize,
    data: FormData,
}

impl<'a> Collector<'a> {
    fn new(request: &'a Request, limits: &'a UploadLimits, field_bytes: u64) -> Self {
        Self {
            request,
            limits,
            field_bytes,
            fields_left: field_bytes,
            memory_left: limits.memory_bytes,
            data: FormData::default(),
        }
    }

    async fn collect(mut self, reader: &mut MultipartReader) -> Result<FormData, FormDataError> {
        while let Some(part) = reader.next_part().await? {
            self.count(part.name().len())?;
            match part.filename().is_some() {
                true => self.file(part).await?,
                false => self.field(part).await?,
            }
        }
        Ok(self.data)
    }

    /// Counts what lies in memory.
    fn count(&mut self, bytes: usize) -> Result<(), FormDataError> {
        let left = self.fields_left.checked_sub(bytes as u64);
        self.fields_left = left.ok_or(FormDataError::FieldsTooLarge(self.field_bytes))?;
        Ok(())
    }

    async fn field(&mut self, mut part: FormPart<'_>) -> Result<(), FormDataError> {
        let mut value = Vec::new();
        while let Some(chunk) = part.chunk().await? {
            self.count(chunk.len())?;
            value.extend_from_slice(&chunk);
        }
        let name = std::mem::take(&mut part.head.name);
        match String::from_utf8(value) {
            Ok(value) => self.data.fields.push((name, value)),
            Err(_) => return Err(FormDataError::NotText(name.into())),
        }
        Ok(())
    }

    async fn file(&mut self, mut part: FormPart<'_>) -> Result<(), FormDataError> {
        let head = std::mem::take(&mut part.head);
        let filename = head.filename.unwrap_or_default();
        let was_chosen = !filename.is_empty();
        let directory = self.limits.directory.clone();
        let mut spool = Spool::new(
            filename,
            head.content_type,
            self.request.reactor(),
            directory,
        );
        while let Some(chunk) = part.chunk().await? {
            let written = spool.write(&chunk, &mut self.memory_left).await;
            written.map_err(disk)?;
        }
        let upload = spool.finish().await.map_err(disk)?;
        if was_chosen || !upload.is_empty() {
            self.data.files.push((head.name, upload));
        }
        Ok(())
    }
}

fn disk(error: std::io::Error) -> FormDataError {
    FormDataError::Disk(error.to_string().into())
}
