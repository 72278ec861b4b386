//! The names of fields that are known by number, so that looking one up compares a byte.
//!
//! Not for: names of one's own; they are compared as text, without case (RFC 9110 5.1).

use super::scan;

/// A field name that is known.
macro_rules! known_names {
    ($($variant:ident = $text:literal,)*) => {
        /// A field name that the grammar knows by number. Others are found by their text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Name {
            $(
                #[doc = concat!("`", $text, "`")]
                $variant,
            )*
        }

        impl Name {
            /// All of them.
            pub const ALL: &'static [Name] = &[$(Name::$variant),*];

            /// The name as it is customarily written.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Name::$variant => $text,)*
                }
            }
        }
    };
}

known_names! {
    Accept = "Accept",
    AcceptCharset = "Accept-Charset",
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AcceptRanges = "Accept-Ranges",
    AccessControlAllowCredentials = "Access-Control-Allow-Credentials",
    AccessControlAllowHeaders = "Access-Control-Allow-Headers",
    AccessControlAllowMethods = "Access-Control-Allow-Methods",
    AccessControlAllowOrigin = "Access-Control-Allow-Origin",
    AccessControlExposeHeaders = "Access-Control-Expose-Headers",
    AccessControlMaxAge = "Access-Control-Max-Age",
    AccessControlRequestHeaders = "Access-Control-Request-Headers",
    AccessControlRequestMethod = "Access-Control-Request-Method",
    Age = "Age",
    Allow = "Allow",
    AltSvc = "Alt-Svc",
    Authorization = "Authorization",
    CacheControl = "Cache-Control",
    Connection = "Connection",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding",
    ContentLanguage = "Content-Language",
    ContentLength = "Content-Length",
    ContentLocation = "Content-Location",
    ContentRange = "Content-Range",
    ContentSecurityPolicy = "Content-Security-Policy",
    ContentType = "Content-Type",
    Cookie = "Cookie",
    Date = "Date",
    Etag = "ETag",
    Expect = "Expect",
    Expires = "Expires",
    Forwarded = "Forwarded",
    From = "From",
    Host = "Host",
    Http2Settings = "HTTP2-Settings",
    IfMatch = "If-Match",
    IfModifiedSince = "If-Modified-Since",
    IfNoneMatch = "If-None-Match",
    IfRange = "If-Range",
    IfUnmodifiedSince = "If-Unmodified-Since",
    KeepAlive = "Keep-Alive",
    LastEventId = "Last-Event-ID",
    LastModified = "Last-Modified",
    Link = "Link",
    Location = "Location",
    MaxForwards = "Max-Forwards",
    Origin = "Origin",
    Pragma = "Pragma",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyConnection = "Proxy-Connection",
    Range = "Range",
    Referer = "Referer",
    ReferrerPolicy = "Referrer-Policy",
    RetryAfter = "Retry-After",
    SecChUa = "Sec-CH-UA",
    SecChUaMobile = "Sec-CH-UA-Mobile",
    SecChUaPlatform = "Sec-CH-UA-Platform",
    SecFetchDest = "Sec-Fetch-Dest",
    SecFetchMode = "Sec-Fetch-Mode",
    SecFetchSite = "Sec-Fetch-Site",
    SecFetchUser = "Sec-Fetch-User",
    SecWebsocketAccept = "Sec-WebSocket-Accept",
    SecWebsocketExtensions = "Sec-WebSocket-Extensions",
    SecWebsocketKey = "Sec-WebSocket-Key",
    SecWebsocketProtocol = "Sec-WebSocket-Protocol",
    SecWebsocketVersion = "Sec-WebSocket-Version",
    Server = "Server",
    SetCookie = "Set-Cookie",
    StrictTransportSecurity = "Strict-Transport-Security",
    Te = "TE",
    Trailer = "Trailer",
    TransferEncoding = "Transfer-Encoding",
    Upgrade = "Upgrade",
    UpgradeInsecureRequests = "Upgrade-Insecure-Requests",
    UserAgent = "User-Agent",
    Vary = "Vary",
    Via = "Via",
    WwwAuthenticate = "WWW-Authenticate",
    XContentTypeOptions = "X-Content-Type-Options",
    XForwardedFor = "X-Forwarded-For",
    XForwardedHost = "X-Forwarded-Host",
    XForwardedProto = "X-Forwarded-Proto",
    XFrameOptions = "X-Frame-Options",
    XRealIp = "X-Real-IP",
    XRequestId = "X-Request-ID",
    XRequestedWith = "X-Requested-With",
}

/// Slots of the table; a power of two.
const SLOTS: usize = 512;

/// Which name may be meant by each slot. No two share one: the multipliers in [`slot`] were sought until that was so,
/// and the compiler checks it.
static TABLE: [Option<Name>; SLOTS] = table();

const fn table() -> [Option<Name>; SLOTS] {
    let mut table = [None; SLOTS];
    let mut index = 0;
    while index < Name::ALL.len() {
        let name = Name::ALL[index];
        let slot = slot(name.as_str().as_bytes());
        assert!(
            table[slot].is_none(),
            "two names share a slot: seek other multipliers"
        );
        table[slot] = Some(name);
        index += 1;
    }
    table
}

/// By the length, the first byte, the last and the one at three quarters, without case. `name` is not empty.
#[inline]
const fn slot(name: &[u8]) -> usize {
    let length = name.len();
    let first = (name[0] | 0x20) as usize;
    let late = (name[length * 3 / 4] | 0x20) as usize;
    let last = (name[length - 1] | 0x20) as usize;
    (length * 367 + first * 503 + last * 261 + late * 142) % SLOTS
}

impl Name {
    /// The known name that `name` is, without regard to case (R139).
    ///
    /// ```
    /// use ropewalk_grammar::http1::Name;
    ///
    /// assert_eq!(Name::of(b"content-LENGTH"), Some(Name::ContentLength));
    /// assert_eq!(Name::of(b"X-My-Own"), None);
    /// ```
    #[inline]
    pub fn of(name: &[u8]) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        let known = TABLE[slot(name)]?;
        known
            .as_str()
            .as_bytes()
            .eq_ignore_ascii_case(name)
            .then_some(known)
    }

    /// The same for a name that is a token: a bit is looked at instead of a case.
    #[inline]
    pub(super) fn of_token(name: &[u8]) -> Option<Self> {
        let known = TABLE[slot(name)]?;
        let text = known.as_str().as_bytes();
        (text.len() == name.len() && scan::is_same_token(name, text)).then_some(known)
    }

    /// Whether a trailer may carry it (RFC 9110 6.5.1): not what frames, routes, authenticates, modifies the request, controls
    /// the response or says what the content is, as a recipient that merges trailers would be told so too late, and
    /// behind the back of whoever checked the head.
    pub fn may_trail(self) -> bool {
        !matches!(
            self,
            Self::Age
                | Self::Authorization
                | Self::CacheControl
                | Self::Connection
                | Self::ContentEncoding
                | Self::ContentLength
                | Self::ContentRange
                | Self::ContentType
                | Self::Cookie
                | Self::Date
                | Self::Expect
                | Self::Expires
                | Self::Forwarded
                | Self::Host
                | Self::Http2Settings
                | Self::IfMatch
                | Self::IfModifiedSince
                | Self::IfNoneMatch
                | Self::IfRange
                | Self::IfUnmodifiedSince
                | Self::KeepAlive
                | Self::Location
                | Self::MaxForwards
                | Self::Pragma
                | Self::ProxyAuthenticate
                | Self::ProxyAuthorization
                | Self::ProxyConnection
                | Self::Range
                | Self::RetryAfter
                | Self::SetCookie
                | Self::Te
                | Self::Trailer
                | Self::TransferEncoding
                | Self::Upgrade
                | Self::Vary
                | Self::WwwAuthenticate
                | Self::XForwardedFor
                | Self::XForwardedHost
                | Self::XForwardedProto
                | Self::XRealIp
        )
    }
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_itself_in_any_case() {
        for &name in Name::ALL {
            for text in [
                name.as_str().to_owned(),
                name.as_str().to_ascii_lowercase(),
                name.as_str().to_ascii_uppercase(),
            ] {
                assert_eq!(Name::of(text.as_bytes()), Some(name));
                assert_eq!(
                    Name::of(&text.as_bytes()[1..]),
                    None,
                    "{text} without its head"
                );
            }
        }
        assert_eq!(Name::of(b""), None);
        assert_eq!(Name::of(b"Content\rLength"), None);
        for token in [
            &b"Content_Length"[..],
            b"Content~Length",
            b"H~st",
            b"H!st",
            b"h0st",
        ] {
            assert_eq!(Name::of_token(token), None);
        }
    }
}
