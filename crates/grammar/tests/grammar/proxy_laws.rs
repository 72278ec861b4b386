//! The laws of `proxy_law.rs`, on generated headers and streams.

use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::proxy::{Forwarded, ProxyAddress, ProxyDecoder, ProxyHeader, TlvList};

use crate::proxy::binary;
use crate::proxy_law as law;

fn addresses() -> impl Strategy<Value = (ProxyAddress, ProxyAddress)> {
    let name = || {
        prop_oneof![
            vec(1..=u8::MAX, 0..=108),
            vec(1..=u8::MAX, 0..=107).prop_map(|name| [&b"\0"[..], &name].concat()),
        ]
        .prop_map(|name| {
            if name == b"\0" {
                [].into()
            } else {
                name.into()
            }
        })
    };
    let v4 = || any::<([u8; 4], u16)>().prop_map(SocketAddr::from);
    let v6 = || any::<([u8; 16], u16)>().prop_map(SocketAddr::from);
    use ProxyAddress::{Tcp, Udp, Unix, UnixDatagram};
    prop_oneof![
        (v4(), v4()).prop_map(|(a, b)| (Tcp(a), Tcp(b))),
        (v6(), v6()).prop_map(|(a, b)| (Tcp(a), Tcp(b))),
        (v4(), v4()).prop_map(|(a, b)| (Udp(a), Udp(b))),
        (v6(), v6()).prop_map(|(a, b)| (Udp(a), Udp(b))),
        (name(), name()).prop_map(|(a, b)| (Unix(a), Unix(b))),
        (name(), name()).prop_map(|(a, b)| (UnixDatagram(a), UnixDatagram(b))),
    ]
}

fn headers() -> impl Strategy<Value = ProxyHeader> {
    let tlvs = (
        vec((any::<u8>(), vec(any::<u8>(), 0..20)), 0..6),
        any::<bool>(),
    );
    let forwarded = (addresses(), tlvs).prop_map(|((source, destination), (some, sum))| {
        let mut tlvs = TlvList::default();
        for (kind, value) in some {
            let _refused = tlvs.push(kind, &value);
        }
        if sum {
            let _refused = tlvs.push_checksum();
        }
        ProxyHeader::Forwarded(Forwarded {
            source,
            destination,
            tlvs,
        })
    });
    prop_oneof![
        1 => Just(ProxyHeader::Local),
        1 => Just(ProxyHeader::Unknown),
        12 => forwarded,
        6 => addresses().prop_map(|(a, b)| ProxyHeader::forwarded(a, b)),
    ]
}

/// Headers, some of them damaged, and bytes that look like headers.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let sent = || {
        (headers(), any::<bool>(), vec(any::<u8>(), 0..9)).prop_map(|(header, text, behind)| {
            let mut out = Vec::new();
            if !text || header.send_v1(&mut out).is_err() {
                header.send_v2(&mut out).unwrap();
            }
            [out, behind].concat()
        })
    };
    let damaged = (sent(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut bytes, place, value)| {
            let place = place.index(bytes.len());
            bytes[place] = value;
            bytes
        },
    );
    let binary = (vec(any::<u8>(), 0..60), 0..0x40u8)
        .prop_map(|(rest, family)| binary(0x21, family, rest.len() as u16, &rest));
    prop_oneof![sent(), damaged, binary, vec(any::<u8>(), 0..40)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn law_any_split_proxy(data in streams(), sizes in vec(1..40usize, 1..8), limit in 0..400usize) {
        law::any_split_tells_the_same_header(&ProxyDecoder::new(), &data, &sizes);
        law::any_split_tells_the_same_header(&ProxyDecoder::new().with_limit_bytes(limit), &data, &sizes);
    }

    #[test]
    fn law_a_proxy_header_ends_where_it_says(data in streams()) {
        law::a_header_ends_where_it_says(&ProxyDecoder::new(), &data);
    }

    #[test]
    fn law_round_trip_proxy(header in headers(), sizes in vec(1..40usize, 1..8)) {
        law::sent_headers_are_received(&header, &sizes);
    }
}
