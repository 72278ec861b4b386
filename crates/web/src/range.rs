//! `Range`: which bytes of a resource are asked for (RFC 9110 14.2).
//!
//! Not for: whether the field counts at all; it does for GET, and if [`Conditions::allows_range`](crate::Conditions::allows_range).

use std::fmt;

use ropewalk_grammar::multipart::Boundary;

/// What a `Range` selects of a resource of known size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The field is not there, malformed, of another unit, or asks for more ranges than anybody needs: 200 with everything (R158).
    Whole,
    /// 206 with a `Content-Range`.
    One(ByteRange),
    /// 206 with `multipart/byteranges`: two or more, apart from each other, in the order asked for.
    Many(Vec<ByteRange>),
    /// None of the ranges is in the resource: 416 with `Content-Range: bytes */size`.
    Unsatisfiable,
}

/// Bytes from `first` to `last`, both of them included; never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte, counted from 0.
    pub first: u64,
    /// The last byte; it is in the resource.
    pub last: u64,
}

/// More ranges are not answered (H1-22): each costs a seek and a head of its own, and those of CVE-2011-3192 were 1300, overlapping.
pub const MOST_RANGES: usize = 16;

impl Selection {
    /// Reads the value of a `Range`, for a resource of `size` bytes.
    ///
    /// Ranges that overlap or touch become one, so that no byte is sent twice (H1-22).
    ///
    /// ```
    /// use ropewalk_web::{ByteRange, Selection};
    ///
    /// let range = ByteRange { first: 90, last: 99 };
    /// assert_eq!(Selection::of("bytes=90-", 100), Selection::One(range));
    /// assert_eq!(Selection::of("bytes=-10", 100), Selection::One(range));
    /// assert_eq!(range.content_range(100), "bytes 90-99/100");
    /// assert_eq!(Selection::of("bytes=100-", 100), Selection::Unsatisfiable);
    /// assert_eq!(Selection::of("bytes=9-1", 100), Selection::Whole);
    /// ```
    pub fn of(value: &str, size: u64) -> Self {
        let Some((unit, set)) = value.split_once('=') else {
            return Self::Whole;
        };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Self::Whole;
        }
        let (mut ranges, mut count) = (Vec::new(), 0);
        for member in set
            .split(',')
            .map(|member| member.trim_matches([' ', '\t']))
        {
            if member.is_empty() {
                continue;
            }
            let Some(range) = ByteRange::parse(member, size) else {
                return Self::Whole;
            };
            count += 1;
            if count > MOST_RANGES {
                return Self::Whole;
            }
            if let Some(range) = range {
                join(&mut ranges, range);
            }
        }
        match ranges.len() {
            0 if count == 0 => Self::Whole,
            0 => Self::Unsatisfiable,
            1 => Self::One(ranges[0]),
            _ => Self::Many(ranges),
        }
    }
}

impl ByteRange {
    /// `Some(None)` for a range outside of the resource, `None` for what is no range.
    fn parse(text: &str, size: u64) -> Option<Option<Self>> {
        let (first, last) = text.split_once('-')?;
        if first.is_empty() {
            let suffix = number(last)?;
            return Some((suffix > 0 && size > 0).then(|| Self {
                first: size.saturating_sub(suffix),
                last: size - 1,
            }));
        }
        let first = number(first)?;
        let last = match last {
            "" => u64::MAX,
            last => number(last)?,
        };
        if last < first {
            return None;
        }
        Some((first < size).then(|| Self {
            first,
            last: last.min(size - 1),
        }))
    }

    /// How many bytes.
    #[expect(clippy::len_without_is_empty, reason = "no range is empty")]
    pub fn len(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// The value of `Content-Range`.
    pub fn content_range(&self, size: u64) -> String {
        format!("bytes {self}/{size}")
    }

    fn touches(&self, other: &Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// The value of `Content-Range` of a 416.
pub fn unsatisfied_range(size: u64) -> String {
    format!("bytes */{size}")
}

/// Adds a range to those that are apart; it takes the place of the first that it joins.
fn join(ranges: &mut Vec<ByteRange>, mut range: ByteRange) {
    let mut place = ranges.len();
    while let Some(at) = ranges.iter().position(|other| other.touches(&range)) {
        let other = ranges.remove(at);
        range.first = range.first.min(other.first);
        range.last = range.last.max(other.last);
        place = place.min(at);
    }
    ranges.insert(place.min(ranges.len()), range);
}

/// Digits and nothing else; what is too large for us is larger than any resource.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// The frame of a `multipart/byteranges` body (RFC 9110 14.6): what stands before, between and behind the ranges.
///
/// ```text
///   head(0) bytes of the first range  head(1) bytes of the second …  end
/// ```
#[derive(Clone, Debug)]
pub struct ByteRanges {
    boundary: Boundary,
    content_type: Option<String>,
    size: u64,
    ranges: Vec<ByteRange>,
}

impl ByteRanges {
    /// The frame for these ranges of a resource of `size` bytes, with a boundary of random bytes.
    ///
    /// `content_type` is what the resource would have; it is left out if it cannot stand in a field.
    pub fn new(
        ranges: Vec<ByteRange>,
        size: u64,
        content_type: Option<&str>,
        random: [u8; 16],
    ) -> Self {
        let content_type = content_type.filter(|text| !text.contains(|c: char| c.is_control()));
        Self {
            boundary: Boundary::of_random(random),
            content_type: content_type.map(str::to_owned),
            size,
            ranges,
        }
    }

    /// The ranges, in the order of the body.
    pub fn ranges(&self) -> &[ByteRange] {
        &self.ranges
    }

    /// The type of the whole body.
    pub fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// What stands before the range of that index.
    ///
    /// # Panics
    ///
    /// When there is no such range.
    pub fn head(&self, index: usize) -> String {
        let line_end = if index == 0 { "" } else { "\r\n" };
        let range = self.ranges[index].content_range(self.size);
        let content_type = match &self.content_type {
            Some(text) => format!("Content-Type: {text}\r\n"),
            None => String::new(),
        };
        format!(
            "{line_end}--{}\r\n{content_type}Content-Range: {range}\r\n\r\n",
            self.boundary
        )
    }

    /// What stands behind the last range.
    pub fn end(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary)
    }

    /// How many bytes the whole body has.
    pub fn content_length(&self) -> u64 {
        let heads = (0..self.ranges.len()).map(|index| self.head(index).len() as u64);
        let bytes = self.ranges.iter().map(ByteRange::len);
        heads.chain(bytes).sum::<u64>() + self.end().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ropewalk_grammar::Framing;
    use ropewalk_grammar::multipart::{MultipartDecoder, MultipartEvent};

    fn range(first: u64, last: u64) -> ByteRange {
        ByteRange { first, last }
    }

    #[test]
    fn r158_single_ranges() {
        for (value, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=0-", 0, 9),
            ("Bytes=9-9", 9, 9),
            ("bytes=3-99999999999999999999999999", 3, 9),
            ("bytes=-1", 9, 9),
            ("bytes=-11", 0, 9),
            ("bytes=-18446744073709551616", 0, 9),
            ("bytes= ,\t1-2 ,", 1, 2),
            ("bytes=1-2,99-100,-0", 1, 2),
            ("bytes=0-4,5-9", 0, 9),
            ("bytes=5-9,0-4,2-7", 0, 9),
        ] {
            assert_eq!(
                Selection::of(value, 10),
                Selection::One(range(first, last)),
                "{value}"
            );
        }
    }

    #[test]
    fn r158_several_ranges_keep_their_order() {
        let many = |value| match Selection::of(value, 100) {
            Selection::Many(ranges) => ranges,
            other => panic!("{other:?}"),
        };
        assert_eq!(many("bytes=50-,0-9"), [range(50, 99), range(0, 9)]);
        assert_eq!(
            many("bytes=50-59,0-9,55-69,-1"),
            [range(50, 69), range(0, 9), range(99, 99)]
        );
    }

    #[test]
    fn r158_what_is_malformed_is_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-",
            "bytes=1",
            "bytes=2-1",
            "bytes=1-2-3",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=1 - 2",
            "bytes =1-2",
            "lines=1-2",
            "bytes=0-1,x",
            "bytes=--1",
            "bytes=1-\u{e9}",
        ] {
            assert_eq!(Selection::of(value, 10), Selection::Whole, "{value}");
        }
    }

    #[test]
    fn r158_nothing_satisfiable() {
        for (value, size) in [
            ("bytes=10-", 10),
            ("bytes=-0", 10),
            ("bytes=0-", 0),
            ("bytes=-5", 0),
            ("bytes=11-12,99999999999999999999-", 10),
        ] {
            assert_eq!(
                Selection::of(value, size),
                Selection::Unsatisfiable,
                "{value}"
            );
        }
        assert_eq!(unsatisfied_range(10), "bytes */10");
    }

    #[test]
    fn h1_22_too_many_ranges_are_ignored() {
        let asked = |count: u64| {
            let ranges = (0..count).map(|index| format!("{}-{}", index * 10, index * 10 + 1));
            format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
        };
        assert!(
            matches!(Selection::of(&asked(16), 1000), Selection::Many(ranges) if ranges.len() == 16)
        );
        assert_eq!(Selection::of(&asked(17), 1000), Selection::Whole);
        assert_eq!(
            Selection::of(&format!("bytes={}", "0-,".repeat(17)), 9),
            Selection::Whole
        );
    }

    #[test]
    fn h1_22_a_body_of_ranges_is_as_long_as_it_says_and_can_be_read() {
        let frame = ByteRanges::new(
            vec![range(5, 9), range(0, 1)],
            10,
            Some("text/plain"),
            *b"0123456789abcdef",
        );
        let content = b"0123456789";
        let mut body = Vec::new();
        for (index, range) in frame.ranges().iter().enumerate() {
            body.extend(frame.head(index).bytes());
            body.extend(&content[range.first as usize..=range.last as usize]);
        }
        body.extend(frame.end().bytes());
        assert_eq!(body.len() as u64, frame.content_length());
        let boundary = Boundary::of_content_type(&frame.content_type()).unwrap();
        let (mut decoder, mut told) = (MultipartDecoder::mixed(boundary), Vec::new());
        let mut input = decoder.receive(&body);
        while let Some(event) = input.next_event() {
            match event.unwrap() {
                MultipartEvent::Part(head) => {
                    told.push(format!("{:?}", head.field("Content-Range").unwrap()));
                }
                MultipartEvent::Data(data) => told.push(String::from_utf8_lossy(data).into_owned()),
                MultipartEvent::PartEnd | MultipartEvent::End => {}
            }
        }
        assert_eq!(
            told,
            ["\"bytes 5-9/10\"", "56789", "\"bytes 0-1/10\"", "01"]
        );
    }
}
