//! From whom something is believed: a list of networks.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ropewalk_core::Address;
use ropewalk_core::endpoint::Value;

/// Peers by network, written `10.0.0.0/8,192.0.2.7,fd00::/8,unix`: addresses, networks, and the word `unix` for peers on
/// UNIX sockets, whom the mode of the socket's file lets in.
///
/// An IPv4 peer on a socket of both families (`::ffff:192.0.2.7`) is that IPv4 peer.
///
/// ```
/// use ropewalk_protocols::AllowedPeers;
///
/// let proxies: AllowedPeers = "192.0.2.0/24,fd00::1".parse()?;
/// assert!(proxies.contains_ip("192.0.2.77".parse().unwrap()));
/// assert!(!proxies.contains_ip("192.0.3.77".parse().unwrap()));
/// # Ok::<(), ropewalk_protocols::NotANetwork>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedPeers {
    networks: Vec<Network>,
    unix: bool,
}

/// An address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u8,
}

/// What was written is no list of networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotANetwork {
    text: String,
}

impl AllowedPeers {
    /// Peers on this machine: 127.0.0.0/8, ::1 and UNIX sockets.
    #[must_use]
    pub fn this_machine() -> Self {
        let network = |address: [u8; 4], bits| Network {
            address: address.into(),
            bits,
        };
        let one = Network {
            address: std::net::Ipv6Addr::LOCALHOST.into(),
            bits: 128,
        };
        Self {
            networks: vec![network([127, 0, 0, 0], 8), one],
            unix: true,
        }
    }

    /// Whether this peer is on the list. Others than those with an IP address or a UNIX socket never are.
    #[must_use]
    pub fn contains(&self, peer: &Address) -> bool {
        match peer {
            Address::Unix(_) => self.unix,
            other => other.ip().is_some_and(|ip| self.contains_ip(ip)),
        }
    }

    /// Whether a peer with this address is on the list.
    #[must_use]
    pub fn contains_ip(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(ip))
    }
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let differing = (own.to_bits() ^ ip.to_bits()).leading_zeros();
                differing >= u32::from(self.bits)
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let differing = (own.to_bits() ^ ip.to_bits()).leading_zeros();
                differing >= u32::from(self.bits)
            }
            _ => false,
        }
    }

    /// `None` too where bits are set beyond those that count: two readings are possible, and one is too wide.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address: IpAddr = bare.unwrap_or(address).parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => bits.parse().ok()?,
            Some(_) => return None,
        };
        let set = match address {
            IpAddr::V4(ip) => 32 - ip.to_bits().trailing_zeros(),
            IpAddr::V6(ip) => 128 - ip.to_bits().trailing_zeros(),
        };
        (bits <= most && set <= u32::from(bits)).then_some(Self { address, bits })
    }
}

impl FromStr for AllowedPeers {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let mut peers = Self {
            networks: Vec::new(),
            unix: false,
        };
        for item in text.split(',').map(str::trim) {
            if item == "unix" {
                peers.unix = true;
                continue;
            }
            let network = Network::parse(item).ok_or_else(|| NotANetwork {
                text: item.to_owned(),
            })?;
            peers.networks.push(network);
        }
        Ok(peers)
    }
}

/// For the option `from=` of endpoint strings.
impl Value for AllowedPeers {
    const MEANING: &'static str =
        "networks such as 10.0.0.0/8 or [fd00::]/8, IP addresses or the word unix, with commas";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl fmt::Display for AllowedPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks = self.networks.iter().map(ToString::to_string);
        let unix = self.unix.then(|| "unix".to_owned());
        f.write_str(&networks.chain(unix).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(ip) => write!(f, "{ip}/{}", self.bits),
            IpAddr::V6(ip) => write!(f, "[{ip}]/{}", self.bits),
        }
    }
}

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no IP address and no network such as 10.0.0.0/8 or fd00::/8, with zeros behind the bits that count",
            self.text,
        )
    }
}

impl Error for NotANetwork {}
