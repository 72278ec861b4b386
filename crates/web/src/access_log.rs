//! Lines of an access log, one for each request (R152).
//!
//! For: whoever writes them to a file, a pipe or the log of the process. Not for: doing that; these functions only append to a buffer.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::HttpDate;

/// What there is to say of a request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// Who asked, if it has an address.
    pub peer: Option<IpAddr>,
    /// Whom the request was authenticated as.
    pub user: Option<&'a str>,
    /// When it was over.
    pub time: SystemTime,
    /// `GET` and its like; nothing if what came was no request.
    pub method: &'a str,
    /// The target as it was received.
    pub target: &'a [u8],
    /// `HTTP/1.1` and its like.
    pub version: &'a str,
    /// The host that was asked.
    pub host: Option<&'a [u8]>,
    /// What was answered.
    pub status: u16,
    /// Bytes of the response's content.
    pub bytes: u64,
    /// From the head of the request to the last byte of the response.
    pub duration: Duration,
    /// `Referer`
    pub referer: Option<&'a [u8]>,
    /// `User-Agent`
    pub user_agent: Option<&'a [u8]>,
}

/// Which form a line has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// The combined format of Apache and nginx, which every tool reads.
    #[default]
    Combined,
    /// One object of JSON.
    Json,
}

/// Writes lines; the text of the time is made once a second.
///
/// What came from the peer is escaped: quotes and backslashes, and all that is not visible ASCII, so that nobody writes lines of his own into the
/// log or sends commands to the terminal that shows it (H1-18).
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use ropewalk_web::{Access, AccessFormat, AccessLog};
///
/// let access = Access {
///     peer: Some([192, 0, 2, 1].into()),
///     user: None,
///     time: UNIX_EPOCH + Duration::from_secs(971_186_136),
///     method: "GET",
///     target: b"/a\"\x1b",
///     version: "HTTP/1.1",
///     host: Some(b"example.com"),
///     status: 200,
///     bytes: 13,
///     duration: Duration::from_micros(1500),
///     referer: None,
///     user_agent: Some(b"curl"),
/// };
/// let mut out = Vec::new();
/// AccessLog::new(AccessFormat::Combined).write(&access, &mut out);
/// let line = r#"192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET /a\"\x1b HTTP/1.1" 200 13 "-" "curl""#;
/// assert_eq!(out, format!("{line}\n").into_bytes());
/// ```
#[derive(Clone, Debug, Default)]
pub struct AccessLog {
    format: AccessFormat,
    second: Option<HttpDate>,
    /// The time as the format has it.
    time: String,
}

impl AccessLog {
    /// A log of that format.
    pub fn new(format: AccessFormat) -> Self {
        Self {
            format,
            ..Self::default()
        }
    }

    /// Appends one line, with its line feed.
    pub fn write(&mut self, access: &Access<'_>, out: &mut Vec<u8>) {
        self.set_time(access.time);
        match self.format {
            AccessFormat::Combined => self.combined(access, out),
            AccessFormat::Json => self.json(access, out),
        }
    }

    fn combined(&self, access: &Access<'_>, out: &mut Vec<u8>) {
        match access.peer {
            Some(peer) => put_address(peer, out),
            None => out.push(b'-'),
        }
        out.extend_from_slice(b" - ");
        match access.user {
            Some(user) if !user.is_empty() => put_word(user.as_bytes(), out),
            _ => out.push(b'-'),
        }
        put_all(&[b" [", self.time.as_bytes(), b"] \""], out);
        match access.method {
            "" => out.push(b'-'),
            method => {
                put_visible(method.as_bytes(), out);
                out.push(b' ');
                put_visible(access.target, out);
                out.push(b' ');
                put_visible(access.version.as_bytes(), out);
            }
        }
        out.extend_from_slice(b"\" ");
        put_number(access.status.into(), out);
        out.push(b' ');
        put_number(access.bytes, out);
        for text in [access.referer, access.user_agent] {
            out.extend_from_slice(b" \"");
            put_visible(text.unwrap_or(b"-"), out);
            out.push(b'"');
        }
        out.push(b'\n');
    }

    fn json(&self, access: &Access<'_>, out: &mut Vec<u8>) {
        put_all(&[b"{\"time\":\"", self.time.as_bytes(), b"\""], out);
        if let Some(peer) = access.peer {
            out.extend_from_slice(b",\"peer\":\"");
            put_address(peer, out);
            out.push(b'"');
        }
        let texts = [
            ("user", access.user.map(str::as_bytes)),
            ("method", Some(access.method.as_bytes())),
            ("host", access.host),
            ("target", Some(access.target)),
            ("version", Some(access.version.as_bytes())),
            ("referer", access.referer),
            ("user_agent", access.user_agent),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                put_all(&[b",\"", name.as_bytes(), b"\":\""], out);
                put_json(text, out);
                out.push(b'"');
            }
        }
        out.extend_from_slice(b",\"status\":");
        put_number(access.status.into(), out);
        out.extend_from_slice(b",\"bytes\":");
        put_number(access.bytes, out);
        out.extend_from_slice(b",\"seconds\":");
        put_number(access.duration.as_secs(), out);
        let micros = 1_000_000 + u64::from(access.duration.subsec_micros());
        let start = out.len();
        put_number(micros, out);
        out[start] = b'.'; // in the place of the one, which kept the zeros
        out.extend_from_slice(b"}\n");
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` has all that the other forms need, in fixed places.
    fn set_time(&mut self, time: SystemTime) {
        let second = HttpDate::new(time);
        if self.second == Some(second) {
            return;
        }
        self.second = Some(second);
        let date = second.to_string();
        let (day, month, year, clock) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
        self.time = match self.format {
            AccessFormat::Combined => format!("{day}/{month}/{year}:{clock} +0000"),
            AccessFormat::Json => {
                let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
                let number = months.find(month).map_or(0, |at| at / 3 + 1);
                format!("{year}-{number:02}-{day}T{clock}Z")
            }
        };
    }
}

// A line is put together without the machinery of formatting: it took three times as many instructions as answering a request does.

fn put_all(texts: &[&[u8]], out: &mut Vec<u8>) {
    for text in texts {
        out.extend_from_slice(text);
    }
}

fn put_number(number: u64, out: &mut Vec<u8>) {
    let (mut digits, mut at, mut rest) = ([b'0'; 20], 20, number);
    loop {
        at -= 1;
        digits[at] += (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return out.extend_from_slice(&digits[at..]);
        }
    }
}

fn put_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            let [first, rest @ ..] = address.octets();
            put_number(first.into(), out);
            for octet in rest {
                out.push(b'.');
                put_number(octet.into(), out);
            }
        }
        IpAddr::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
    }
}

/// Visible ASCII and spaces as they are, the rest as `\xhh`, as nginx and Apache write it.
fn put_visible(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let (plain, odd) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((&byte, behind)) = odd.split_first() else {
            return;
        };
        put_escape(byte, out);
        rest = behind;
    }
}

/// The same, as one word: no spaces either.
fn put_word(text: &[u8], out: &mut Vec<u8>) {
    for (at, part) in text.split(|&byte| byte == b' ').enumerate() {
        if at > 0 {
            put_escape(b' ', out);
        }
        put_visible(part, out);
    }
}

fn put_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        byte => {
            let digit = |half: u8| b"0123456789abcdef"[usize::from(half)];
            out.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// What stands between the quotes of a text of JSON. What is no UTF-8 becomes U+FFFD.
fn put_json(text: &[u8], out: &mut Vec<u8>) {
    let (plain, rest) = text.split_at(plain_run(text));
    out.extend_from_slice(plain);
    for char in String::from_utf8_lossy(rest).chars() {
        match char {
            '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
            char if char.is_control() || is_line_end(char) => {
                let escape = format!("\\u{:04x}", u32::from(char));
                out.extend_from_slice(escape.as_bytes());
            }
            char => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// How many bytes at the beginning are written as they are: of visible ASCII and spaces, all but quotes and backslashes.
fn plain_run(text: &[u8]) -> usize {
    let is_odd = |byte: u8| !matches!(byte, b' '..=b'~') | (byte == b'"') | (byte == b'\\');
    // Sixteen at once are judged by vector instructions, where only whether any is odd is asked.
    let blocks = text.as_chunks::<16>().0.iter();
    let is_plain = |block: &&[u8; 16]| !block.iter().fold(false, |any, &byte| any | is_odd(byte));
    let start = 16 * blocks.take_while(is_plain).count();
    let run = text[start..].iter().position(|&byte| is_odd(byte));
    run.map_or(text.len(), |run| start + run)
}

/// Some readers of lines end them here, too.
fn is_line_end(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn access(target: &[u8]) -> Access<'_> {
        Access {
            peer: Some("2001:db8::1".parse().unwrap()),
            user: Some("Ann Onym"),
            time: UNIX_EPOCH + Duration::from_secs(86_400 * 365),
            method: "GET",
            target,
            version: "HTTP/1.1",
            host: None,
            status: 304,
            bytes: 0,
            duration: Duration::from_micros(1_000_001),
            referer: Some(b"\xff\x80"),
            user_agent: None,
        }
    }

    fn line(format: AccessFormat, target: &[u8]) -> String {
        let mut out = Vec::new();
        AccessLog::new(format).write(&access(target), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn r152_a_combined_line_has_all_in_its_place() {
        assert_eq!(
            line(AccessFormat::Combined, b"/\r\n\\\x7f"),
            "2001:db8::1 - Ann\\x20Onym [01/Jan/1971:00:00:00 +0000] \"GET /\\x0d\\x0a\\\\\\x7f HTTP/1.1\" 304 0 \"\\xff\\x80\" \"-\"\n"
        );
    }

    #[test]
    fn r152_a_line_of_json_is_one_object() {
        assert_eq!(
            line(AccessFormat::Json, "/\n\u{e9}\u{9b}\u{2028}\"".as_bytes()),
            "{\"time\":\"1971-01-01T00:00:00Z\",\"peer\":\"2001:db8::1\",\"user\":\"Ann Onym\",\"method\":\"GET\",\
            \"target\":\"/\\u000a\u{e9}\\u009b\\u2028\\\"\",\"version\":\"HTTP/1.1\",\"referer\":\"\u{fffd}\u{fffd}\",\
            \"status\":304,\"bytes\":0,\"seconds\":1.000001}\n"
        );
    }

    #[test]
    fn the_time_follows_the_clock() {
        let mut log = AccessLog::new(AccessFormat::Json);
        let mut times = Vec::new();
        for seconds in [0, 0, 1] {
            let mut access = access(b"/");
            access.time = UNIX_EPOCH + Duration::from_secs(seconds);
            let mut out = Vec::new();
            log.write(&access, &mut out);
            times.push(out[26..28].to_vec());
        }
        assert_eq!(times, [b"00", b"00", b"01"]);
    }
}
