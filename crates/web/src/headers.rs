//! The fields of a message that is made here.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use ropewalk_grammar::http1::Name;

use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::negotiate::add_vary;

/// Headers in the order in which they are sent; a name may occur more than once.
///
/// Most messages have few, so they lie in a list, the first beside the list: a response with one needs no allocation.
///
/// ```
/// use ropewalk_web::{Headers, Name};
///
/// let mut headers = Headers::new();
/// headers.append(Name::Vary, "Accept-Encoding")?;
/// headers.append(Name::Vary, "Origin")?;
/// headers.set("x-request-id", "7")?;
/// assert_eq!(headers.all("vary").count(), 2);
/// assert_eq!(headers.get("X-Request-ID").unwrap(), "7");
/// assert!(headers.set(Name::Location, "/a\r\nSet-Cookie: b=c").is_err());
/// # Ok::<(), ropewalk_web::HeaderError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    first: Option<(FieldName, HeaderValue)>,
    rest: Vec<(FieldName, HeaderValue)>,
}

impl Headers {
    /// None.
    pub const fn new() -> Self {
        Self {
            first: None,
            rest: Vec::new(),
        }
    }

    /// `Content-Type`.
    pub(crate) const fn of_type(content_type: &'static str) -> Self {
        let value = HeaderValue::from_static(content_type);
        Self {
            first: Some((FieldName::of_known(Name::ContentType), value)),
            rest: Vec::new(),
        }
    }

    /// Adds one beside those of the same name.
    ///
    /// # Errors
    ///
    /// When the name is no token, or the value has a control character.
    pub fn append<N, V>(&mut self, name: N, value: V) -> Result<(), HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        let name = name.try_into().map_err(Into::into)?;
        let value = value.try_into().map_err(Into::into)?;
        self.push(name, value);
        Ok(())
    }

    /// Puts one in the place of all of the same name.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append); nothing has changed then.
    #[doc(alias = "setHeader")]
    pub fn set<N, V>(&mut self, name: N, value: V) -> Result<(), HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        let name = name.try_into().map_err(Into::into)?;
        let value = value.try_into().map_err(Into::into)?;
        self.replace(name, value);
        Ok(())
    }

    /// Removes all of this name; tells whether there was one.
    pub fn remove<N>(&mut self, name: N) -> bool
    where
        N: TryInto<FieldName>,
    {
        let Ok(name) = name.try_into() else {
            return false;
        };
        let before = self.len();
        self.rest.retain(|(other, _)| *other != name);
        if self.first.as_ref().is_some_and(|(other, _)| *other == name) {
            self.first = None;
        }
        self.len() < before
    }

    #[inline]
    pub(crate) fn push(&mut self, name: FieldName, value: HeaderValue) {
        if self.first.is_none() && self.rest.is_empty() {
            self.first = Some((name, value));
        } else {
            self.rest.push((name, value));
        }
    }

    /// Says that the response depends on this header of the request as well.
    pub(crate) fn add_to_vary(&mut self, name: &str) {
        let named: Vec<&str> = self
            .all("vary")
            .filter_map(|value| value.to_str().ok())
            .collect();
        let mut vary = named.join(", ");
        add_vary(&mut vary, name);
        if let Ok(value) = HeaderValue::try_from(vary) {
            self.replace(Name::Vary.into(), value);
        }
    }

    #[inline]
    pub(crate) fn replace(&mut self, name: FieldName, value: HeaderValue) {
        if !self.is_empty() {
            self.remove(&name);
        }
        self.push(name, value);
    }

    /// The value of this name; of the last, if there are more.
    #[doc(alias = "getHeader")]
    pub fn get<N>(&self, name: N) -> Option<&HeaderValue>
    where
        N: TryInto<FieldName>,
    {
        self.all(name).last()
    }

    /// The values of this name, in order.
    pub fn all<N>(&self, name: N) -> impl Iterator<Item = &HeaderValue>
    where
        N: TryInto<FieldName>,
    {
        let name = name.try_into().ok();
        self.iter()
            .filter(move |(other, _)| Some(*other) == name.as_ref())
            .map(|(_, value)| value)
    }

    /// Whether there is one of this name.
    pub fn contains<N>(&self, name: N) -> bool
    where
        N: TryInto<FieldName>,
    {
        self.get(name).is_some()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&FieldName, &HeaderValue)> {
        let fields = self.first.iter().chain(&self.rest);
        fields.map(|(name, value)| (name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        let mut headers = Self::new();
        for (name, value) in &map {
            headers.push(name.clone().into(), value.clone());
        }
        headers
    }
}

impl From<&Headers> for HeaderMap {
    fn from(headers: &Headers) -> Self {
        let mut map = Self::new();
        for (name, value) in headers.iter() {
            if let Ok(name) = http::HeaderName::from_bytes(name.as_ref()) {
                map.append(name, value.clone());
            }
        }
        map
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name.as_str(), value)))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_header_is_found_set_and_removed_like_all_others() {
        let mut headers = Headers::new();
        headers.set(Name::ContentType, "text/plain").unwrap();
        headers.set(Name::Etag, "\"1\"").unwrap();
        headers.set(Name::ContentType, "text/html").unwrap();
        assert_eq!(headers.get("content-type").unwrap(), "text/html");
        assert_eq!(headers.len(), 2);
        assert!(headers.remove("etag") && !headers.remove("etag"));
        assert_eq!(format!("{headers:?}"), r#"{"Content-Type": "text/html"}"#);
    }

    #[test]
    fn h1_15_what_would_be_two_headers_is_an_error() {
        let mut headers = Headers::new();
        assert!(headers.append("A\r\nB", "c").is_err());
        assert!(headers.append("a", "b\nc").is_err());
        assert!(headers.is_empty());
    }
}
