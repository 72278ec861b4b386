//! How much, how long and how often.

use std::str::FromStr;
use std::time::Duration;

use ropewalk::web::{RateLimit, RateLimited, Resource, ReverseProxy, SiteLimits};

/// What bounds connections and requests.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct Limits {
    /// How many connections there may be [default: 65536]
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// How many of them one address may have [default: all]
    #[arg(long, value_name = "N")]
    max_connections_by_peer: Option<usize>,
    /// How many requests may be in the works; more are answered 503 [default: 16384]
    #[arg(long, value_name = "N")]
    max_requests: Option<usize>,
    /// How many of them may be one client's [default: all]
    #[arg(long, value_name = "N")]
    max_requests_by_peer: Option<usize>,
    /// How often a client may ask, such as 20/s, 100/m or 1000/h: so many at once, and on average; more are answered 429
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// How large a body may be that is passed on, such as 10M; larger ones are answered 413
    #[arg(long, value_name = "BYTES", requires = "proxy", conflicts_with_all = ["hello", "path"], value_parser = bytes)]
    max_body: Option<u64>,
    /// For how many seconds the server behind may be silent before it is given up [default: 60]
    #[arg(long, value_name = "SECONDS", requires = "proxy", conflicts_with_all = ["hello", "path"], value_parser = seconds)]
    proxy_timeout: Option<Duration>,
    /// For how many seconds a connection may be idle between two requests [default: 75]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    keep_alive: Option<Duration>,
    /// How many seconds the head of a request may take [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    head_timeout: Option<Duration>,
    /// How many bytes a second a client must send of a body, and take of a large response [default: 240]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    min_rate: Option<u64>,
}

impl Limits {
    pub(super) fn of_site(&self) -> SiteLimits {
        let mut limits = SiteLimits::default();
        put(&mut limits.connections, self.max_connections);
        put(&mut limits.requests, self.max_requests);
        put(&mut limits.keep_alive, self.keep_alive);
        put(&mut limits.head, self.head_timeout);
        put(&mut limits.body_rate, self.min_rate);
        put(&mut limits.response_rate, self.min_rate);
        limits.connections_by_peer = self.max_connections_by_peer;
        limits.requests_by_peer = self.max_requests_by_peer;
        limits
    }

    pub(super) fn of_proxy(&self, mut proxy: ReverseProxy) -> ReverseProxy {
        if let Some(most) = self.max_body {
            proxy = proxy.with_body_limit(most);
        }
        if let Some(silence) = self.proxy_timeout {
            proxy = proxy.with_timeout(silence);
        }
        proxy
    }

    /// The same tree, which may be asked only so often.
    pub(super) fn rated<R: Resource>(&self, root: R) -> Result<RateLimited, R> {
        match self.rate {
            None => Err(root),
            Some(Rate { times, interval }) => {
                Ok(RateLimited::new(root, RateLimit::new(times, interval)))
            }
        }
    }
}

fn put<T>(limit: &mut T, wanted: Option<T>) {
    if let Some(wanted) = wanted {
        *limit = wanted;
    }
}

/// So many at once, and one in each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    times: u32,
    interval: Duration,
}

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let wrong = "must be a number of requests in a second, minute or hour, such as 20/s, 100/m or 1000/h";
        let (times, unit) = text.split_once('/').ok_or(wrong)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(wrong),
        };
        let times: u32 = times.parse().map_err(|_| wrong)?;
        let interval = Duration::from_secs(seconds).checked_div(times);
        let interval = interval.filter(|interval| !interval.is_zero());
        let interval = interval.ok_or(wrong)?;
        Ok(Self { times, interval })
    }
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a number of seconds from 1 to 86400"),
    }
}

/// With K, M or G for powers of 1024.
fn bytes(text: &str) -> Result<u64, &'static str> {
    let wrong = "must be a number of bytes, such as 500, 64K, 10M or 2G";
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let unit = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(wrong),
    };
    let number: u64 = digits.parse().map_err(|_| wrong)?;
    number.checked_mul(unit).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        let rate = |text: &str| text.parse::<Rate>().map(|rate| (rate.times, rate.interval));
        assert_eq!(rate("20/s"), Ok((20, Duration::from_millis(50))));
        assert_eq!(rate("100/m"), Ok((100, Duration::from_millis(600))));
        assert_eq!(rate("1/h"), Ok((1, Duration::from_secs(3600))));
        for wrong in [
            "",
            "20",
            "/s",
            "0/s",
            "-1/s",
            "20/d",
            "20/ss",
            "4294967295/s",
            "1e3/s",
        ] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_and_times_are_numbers() {
        assert_eq!(bytes("500"), Ok(500));
        assert_eq!((bytes("64K"), bytes("2G")), (Ok(64 << 10), Ok(2 << 30)));
        for wrong in [
            "",
            "K",
            "1KK",
            "1k",
            "-1",
            "99999999999999999999",
            "99999999999999G",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        for wrong in ["", "0", "-1", "86401", "1.5"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
