//! Lines of an access log, one for each request (R152).
//!
//! For: whoever writes them to a file, a pipe or the log of the process. Not for: doing that; these functions only append to a buffer.

use std::fmt::{self, Write};
use std::io::Write as _;
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
        let written = match self.format {
            AccessFormat::Combined => self.combined(access, out),
            AccessFormat::Json => self.json(access, out),
        };
        written.expect("a Vec takes everything");
    }

    fn combined(&self, access: &Access<'_>, out: &mut Vec<u8>) -> std::io::Result<()> {
        match access.peer {
            Some(peer) => write!(out, "{peer}")?,
            None => write!(out, "-")?,
        }
        let user = access
            .user
            .map(str::as_bytes)
            .filter(|user| !user.is_empty());
        write!(out, " - {} [{}] \"", Word(user.unwrap_or(b"-")), self.time)?;
        match access.method {
            "" => write!(out, "-")?,
            method => write!(
                out,
                "{} {} {}",
                Visible(method.as_bytes()),
                Visible(access.target),
                Visible(access.version.as_bytes())
            )?,
        }
        writeln!(
            out,
            "\" {} {} \"{}\" \"{}\"",
            access.status,
            access.bytes,
            Visible(access.referer.unwrap_or(b"-")),
            Visible(access.user_agent.unwrap_or(b"-")),
        )
    }

    fn json(&self, access: &Access<'_>, out: &mut Vec<u8>) -> std::io::Result<()> {
        write!(out, "{{\"time\":\"{}\"", self.time)?;
        if let Some(peer) = access.peer {
            write!(out, ",\"peer\":\"{peer}\"")?;
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
                write!(out, ",\"{name}\":\"{}\"", JsonText(text))?;
            }
        }
        writeln!(
            out,
            ",\"status\":{},\"bytes\":{},\"seconds\":{:.6}}}",
            access.status,
            access.bytes,
            access.duration.as_secs_f64()
        )
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

/// Visible ASCII as it is, the rest as `\xhh`, as nginx and Apache write it.
struct Visible<'a>(&'a [u8]);

/// The same, as one word: no spaces either.
struct Word<'a>(&'a [u8]);

/// What stands between the quotes of a text of JSON. What is no UTF-8 becomes U+FFFD.
struct JsonText<'a>(&'a [u8]);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(self.0, f, |byte| matches!(byte, b' '..=b'~'))
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(self.0, f, |byte| matches!(byte, b'!'..=b'~'))
    }
}

fn write_escaped(
    bytes: &[u8],
    f: &mut fmt::Formatter<'_>,
    is_plain: impl Fn(u8) -> bool,
) -> fmt::Result {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            byte if is_plain(byte) => f.write_char(char::from(byte))?,
            byte => write!(f, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in String::from_utf8_lossy(self.0).chars() {
            match char {
                '"' | '\\' => write!(f, "\\{char}")?,
                char if char.is_control() || is_line_end(char) => {
                    write!(f, "\\u{:04x}", u32::from(char))?;
                }
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
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
