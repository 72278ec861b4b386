//! The rules of the PROXY protocol (SEMANTICS R115, SECURITY H1-26), by the sections of its specification.

use std::net::SocketAddr;

use ropewalk_grammar::proxy::{
    Forwarded, ProxyAddress, ProxyDecoder, ProxyError, ProxyHeader, Tlv, TlvList,
};

use crate::proxy_law as law;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn hear(data: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let told = ProxyDecoder::new().receive(data);
    for size in 1..=3 {
        assert_eq!(law::hear(&mut ProxyDecoder::new(), data, &[size]), told);
    }
    told
}

fn tcp(source: &str, destination: &str) -> ProxyHeader {
    let address = |text: &str| ProxyAddress::Tcp(text.parse().unwrap());
    ProxyHeader::forwarded(address(source), address(destination))
}

/// A header of version 2 from its parts.
pub(crate) fn binary(command: u8, family: u8, declared: u16, rest: &[u8]) -> Vec<u8> {
    let fixed = [command, family];
    [SIGNATURE, &fixed, &declared.to_be_bytes(), rest].concat()
}

/// Version 2 over TCP and IPv4, with these TLVs.
fn with_tlvs(tlvs: &[u8]) -> Vec<u8> {
    let addresses = [192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 0, 81];
    let declared = (addresses.len() + tlvs.len()) as u16;
    binary(0x21, 0x11, declared, &[&addresses, tlvs].concat())
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind], &(value.len() as u16).to_be_bytes()[..], value].concat()
}

#[test]
fn r115_lines_of_version_1() {
    let table: [(&[u8], ProxyHeader); 7] = [
        (
            b"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n",
            tcp("255.255.255.255:65535", "0.0.0.0:0"),
        ),
        (
            b"PROXY TCP6 2001:db8::1 2001:DB8:0:0:0:0:0:2 1 2\r\n",
            tcp("[2001:db8::1]:1", "[2001:db8::2]:2"),
        ),
        (
            b"PROXY TCP6 ::ffff:192.0.2.1 :: 1 2\r\n",
            tcp("[::ffff:192.0.2.1]:1", "[::]:2"),
        ),
        (b"PROXY UNKNOWN\r\n", ProxyHeader::Unknown),
        (b"PROXY UNKNOWN \r\n", ProxyHeader::Unknown),
        (b"PROXY UNKNOWN of all sorts \xff 1 2\r\n", ProxyHeader::Unknown),
        (
            b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            ProxyHeader::Unknown,
        ),
    ];
    for (line, header) in table {
        let behind = [line, b"\r\nPROXY"].concat();
        assert_eq!(
            hear(&behind),
            Ok(Some((header, line.len()))),
            "{}",
            line.escape_ascii()
        );
    }
}

#[test]
fn r115_a_stream_begins_with_a_signature() {
    let table: [(&[u8], usize); 8] = [
        (b"GET / HTTP/1.1\r\n", 0),
        (b"\x16\x03\x01", 0),
        (b"\0", 0),
        (b"PROXy TCP4", 4),
        (b"PROXY\tTCP4", 5),
        (b"POST /", 1),
        (b"\r\n\r\n\r\n", 4),
        (b"\r\n\r\n\0\r\nQUIT\r", 11),
    ];
    for (data, offset) in table {
        let found = data[offset];
        assert_eq!(hear(data), Err(ProxyError::NotProxy { offset, found }));
        assert_eq!(hear(&data[..offset]), Ok(None));
    }
}

#[test]
fn r115_a_line_ends_with_cr_and_lf_within_107_bytes() {
    let table: [(&[u8], usize); 4] = [
        (b"PROXY UNKNOWN\n", 13),
        (b"PROXY UNKNOWN\r\r\n", 13),
        (b"PROXY UNKNOWN\rPROXY UNKNOWN\r\n", 13),
        (b"PROXY UNKNOWN a\nb\r\n", 15),
    ];
    for (data, offset) in table {
        assert_eq!(hear(data), Err(ProxyError::LineEnd { offset }));
    }
    let line = |length: usize| [b"PROXY UNKNOWN ", &vec![b'x'; length - 16][..], b"\r\n"].concat();
    assert_eq!(hear(&line(107)), Ok(Some((ProxyHeader::Unknown, 107))));
    assert_eq!(hear(&line(108)), Err(ProxyError::LineTooLong));
    assert_eq!(hear(&line(5000)), Err(ProxyError::LineTooLong));
    assert_eq!(hear(&line(108)[..106]), Ok(None));
}

#[test]
fn r115_the_fields_of_a_line_are_exact() {
    let kinds = "TCP4, TCP6 or UNKNOWN";
    let port = "a port without sign or leading zeros, at most 65535,";
    let table = [
        ("\r\n", 6, kinds),
        ("UNKNOWNS\r\n", 6, kinds),
        ("tcp4 1.2.3.4 1.2.3.4 1 2\r\n", 6, kinds),
        ("UDP4 1.2.3.4 1.2.3.4 1 2\r\n", 6, kinds),
        (" TCP4 1.2.3.4 1.2.3.4 1 2\r\n", 6, kinds),
        ("TCP4\r\n", 10, "an IPv4 address"),
        ("TCP4 \r\n", 11, "an IPv4 address"),
        ("TCP4  1.2.3.4 1.2.3.4 1 2\r\n", 11, "an IPv4 address"),
        ("TCP4 1.2.3 1.2.3.4 1 2\r\n", 11, "an IPv4 address"),
        ("TCP4 01.2.3.4 1.2.3.4 1 2\r\n", 11, "an IPv4 address"),
        ("TCP4 256.2.3.4 1.2.3.4 1 2\r\n", 11, "an IPv4 address"),
        ("TCP4 ::1 ::1 1 2\r\n", 11, "an IPv4 address"),
        ("TCP4 1.2.3.4 ::1 1 2\r\n", 19, "an IPv4 address"),
        ("TCP4 1.2.3.4\t1.2.3.4 1 2\r\n", 11, "an IPv4 address"),
        ("TCP6 1.2.3.4 1.2.3.4 1 2\r\n", 11, "an IPv6 address"),
        ("TCP6 ::1::2 ::1 1 2\r\n", 11, "an IPv6 address"),
        ("TCP6 [::1] ::1 1 2\r\n", 11, "an IPv6 address"),
        ("TCP6 fe80::1%1 ::1 1 2\r\n", 11, "an IPv6 address"),
        ("TCP6 12345::1 ::1 1 2\r\n", 11, "an IPv6 address"),
        ("TCP4 1.2.3.4 1.2.3.4\r\n", 26, port),
        ("TCP4 1.2.3.4 1.2.3.4 1\r\n", 28, port),
        ("TCP4 1.2.3.4 1.2.3.4 01 2\r\n", 27, port),
        ("TCP4 1.2.3.4 1.2.3.4 00 2\r\n", 27, port),
        ("TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", 27, port),
        ("TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", 27, port),
        ("TCP4 1.2.3.4 1.2.3.4 65536 2\r\n", 27, port),
        ("TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n", 27, port),
        ("TCP4 1.2.3.4 1.2.3.4 1  2\r\n", 29, port),
        ("TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", 30, "its end"),
        ("TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", 30, "its end"),
    ];
    for (rest, offset, expected) in table {
        let line = format!("PROXY {rest}");
        let error = ProxyError::Field { offset, expected };
        assert_eq!(hear(line.as_bytes()), Err(error), "{line:?}");
    }
    assert!(hear(b"PROXY TCP4 1.2.3.4 1.\xff.3.4 1 2\r\n").is_err());
}

#[test]
fn r115_headers_of_version_2() {
    let v4 = with_tlvs(&[]);
    assert_eq!(
        hear(&v4),
        Ok(Some((tcp("192.0.2.1:80", "192.0.2.2:81"), 28)))
    );
    let mut udp = v4;
    udp[13] = 0x12;
    let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
    let expected = ProxyHeader::forwarded(
        ProxyAddress::Udp(socket("192.0.2.1:80")),
        ProxyAddress::Udp(socket("192.0.2.2:81")),
    );
    assert_eq!(hear(&udp), Ok(Some((expected, 28))));
    let v6 = [&[0; 15][..], &[1], &[0; 15], &[2], &[1, 0, 0, 9]].concat();
    let expected = tcp("[::1]:256", "[::2]:9");
    assert_eq!(hear(&binary(0x21, 0x21, 36, &v6)), Ok(Some((expected, 52))));
    let mut names = [0; 216];
    names[..8].copy_from_slice(b"/run/a\0x");
    names[108..111].copy_from_slice(b"\0ab");
    let expected = ProxyHeader::forwarded(
        ProxyAddress::UnixDatagram(b"/run/a"[..].into()),
        ProxyAddress::UnixDatagram(b"\0ab"[..].into()),
    );
    assert_eq!(
        hear(&binary(0x21, 0x32, 216, &names)),
        Ok(Some((expected, 232)))
    );
    let (longest, unnamed) = ([b'x'; 108], [0; 108]);
    let expected = ProxyHeader::forwarded(
        ProxyAddress::Unix(longest.into()),
        ProxyAddress::Unix([].into()),
    );
    let names = [longest, unnamed].concat();
    assert_eq!(
        hear(&binary(0x21, 0x31, 216, &names)),
        Ok(Some((expected, 232)))
    );
}

#[test]
fn r115_local_and_unspecified_headers_are_skipped_whole() {
    for family in [0, 0x11, 0x21, 0x31, 0xFF] {
        for rest in [&b""[..], b"\x01", &[0xFF; 300]] {
            let header = binary(0x20, family, rest.len() as u16, rest);
            let told = hear(&[&header, &b"behind"[..]].concat());
            assert_eq!(told, Ok(Some((ProxyHeader::Local, header.len()))));
        }
    }
    for family in [0, 0x01, 0x02, 0x10, 0x20, 0x30] {
        let header = binary(0x21, family, 3, b"\xff\xff\xff");
        assert_eq!(hear(&header), Ok(Some((ProxyHeader::Unknown, 19))));
    }
}

#[test]
fn r115_other_versions_commands_and_families_are_refused() {
    for found in 0..=u8::MAX {
        let told = hear(&binary(found, 0, 0, b""));
        match found {
            0x20 | 0x21 => assert!(told.is_ok()),
            0x22..0x30 => assert_eq!(told, Err(ProxyError::Command { found })),
            _ => assert_eq!(told, Err(ProxyError::Version { found })),
        }
        let told = hear(&binary(0x21, found, 300, &[0; 300]));
        if found >> 4 > 3 || found & 0xF > 2 {
            assert_eq!(told, Err(ProxyError::Family { found }));
        } else {
            assert!(
                matches!(told, Ok(_) | Err(ProxyError::Repeated { .. })),
                "{told:?}"
            );
        }
    }
}

#[test]
fn h1_26_a_header_that_lies_about_its_length_is_refused() {
    let table = [
        (0x11, 12),
        (0x12, 12),
        (0x21, 36),
        (0x22, 36),
        (0x31, 216),
        (0x32, 216),
    ];
    for (family, needed) in table {
        for declared in [0, 1, needed - 1] {
            let told = hear(&binary(0x21, family, declared as u16, &[0; 300]));
            assert_eq!(told, Err(ProxyError::TooShort { declared, needed }));
        }
    }
    let overrun = ProxyError::Overrun { offset: 28 };
    for tlvs in [&b"\x05"[..], b"\x05\0", b"\x05\0\x01", b"\x05\xff\xffabc"] {
        assert_eq!(
            hear(&with_tlvs(tlvs)),
            Err(overrun),
            "{}",
            tlvs.escape_ascii()
        );
    }
}

#[test]
fn h1_26_the_declared_length_is_bounded_before_it_is_held() {
    let (limit, declared) = (ProxyDecoder::DEFAULT_LIMIT_BYTES, 65_535);
    let error = ProxyError::TooLong { declared, limit };
    assert_eq!(hear(&binary(0x21, 0x11, 65_535, b"")), Err(error));
    assert_eq!(hear(&binary(0x20, 0, 65_535, b"")), Err(error), "LOCAL too");
    assert_eq!(hear(&binary(0x20, 0, limit as u16, b"")), Ok(None));
    let mut patient = ProxyDecoder::new().with_limit_bytes(usize::MAX);
    let data = binary(0x20, 0, 65_535, &[0; 65_535]);
    assert_eq!(patient.receive(&data[..100]), Ok(None));
    assert_eq!(patient.buffered(), 100);
    assert_eq!(
        patient.receive(&data[100..]),
        Ok(Some((ProxyHeader::Local, 65_451)))
    );
}

#[test]
fn r115_what_a_proxy_tells_beside_addresses() {
    let ssl = [
        &[7, 0, 0, 0, 0][..],
        &tlv(0x21, b"TLSv1.3"),
        &tlv(0x22, b"alice"),
    ]
    .concat();
    let tlvs = [
        tlv(Tlv::ALPN, b"h2"),
        tlv(Tlv::AUTHORITY, "ex\u{e4}mple".as_bytes()),
        tlv(Tlv::UNIQUE_ID, &[9; 128]),
        tlv(Tlv::SSL, &ssl),
        tlv(0xE0, b"mine"),
        tlv(0xE0, b"mine too"),
    ];
    let Ok(Some((ProxyHeader::Forwarded(forwarded), _))) = hear(&with_tlvs(&tlvs.concat())) else {
        panic!("it is forwarded");
    };
    let told = &forwarded.tlvs;
    assert_eq!(told.alpn(), Some(&b"h2"[..]));
    assert_eq!(told.authority(), Some("ex\u{e4}mple"));
    assert_eq!(told.unique_id(), Some(&[9; 128][..]));
    assert_eq!(told.find(0xE0), Some(&b"mine"[..]));
    assert_eq!(told.iter().count(), 6);
    assert!(!told.has_checksum());
    let ssl = told.ssl().unwrap();
    assert_eq!((ssl.client, ssl.verify, ssl.is_verified()), (7, 0, true));
    assert_eq!(ssl.version(), Some(&b"TLSv1.3"[..]));
    assert_eq!(ssl.common_name(), Some(&b"alice"[..]));
    assert_eq!(ssl.cipher(), None);
}

#[test]
fn r115_values_are_what_their_types_must_have() {
    let wrong: [(u8, &[u8]); 7] = [
        (Tlv::AUTHORITY, b"\xff"),
        (Tlv::CRC32C, b""),
        (Tlv::CRC32C, b"12345"),
        (Tlv::UNIQUE_ID, &[0; 129]),
        (Tlv::SSL, b""),
        (Tlv::SSL, b"1234"),
        (Tlv::SSL, b"12345\x21\0\x02x"),
    ];
    for (kind, value) in wrong {
        let data = with_tlvs(&[tlv(Tlv::NOOP, b"fill"), tlv(kind, value)].concat());
        let told = hear(&data);
        assert!(
            matches!(told, Err(ProxyError::Value { offset: 35, .. })),
            "{kind} {told:?}"
        );
        assert!(TlvList::default().push(kind, value).is_err());
    }
    for (kind, value) in [(Tlv::ALPN, &b"h2"[..]), (Tlv::NETNS, b"a"), (0x2F, b"")] {
        let twice = [tlv(kind, value), tlv(kind, value)].concat();
        let offset = 28 + 3 + value.len();
        assert_eq!(
            hear(&with_tlvs(&twice)),
            Err(ProxyError::Repeated { offset, kind })
        );
        let mut list = TlvList::default();
        list.push(kind, value).unwrap();
        assert!(list.push(kind, value).is_err());
    }
    assert!(hear(&with_tlvs(&tlv(Tlv::NOOP, b"x").repeat(2))).is_ok());
}

#[test]
fn r115_a_checksum_must_be_right() {
    let ProxyHeader::Forwarded(mut forwarded) = tcp("192.0.2.1:80", "192.0.2.2:81") else {
        unreachable!("it was just made so");
    };
    forwarded.tlvs.push(Tlv::ALPN, b"h2").unwrap();
    forwarded.tlvs.push_checksum().unwrap();
    forwarded.tlvs.push(0xE1, b"last").unwrap();
    let mut wire = b"unrelated".to_vec();
    ProxyHeader::Forwarded(forwarded.clone())
        .send_v2(&mut wire)
        .unwrap();
    let wire = &wire[9..];
    let told = hear(wire).unwrap().unwrap();
    assert_eq!(told, (ProxyHeader::Forwarded(forwarded), wire.len()));
    // Addresses, ports, ALPN's value, the sum itself, the last value: every bit counts.
    let of_checksum = 28 + 5;
    for at in (16..28)
        .chain(31..33)
        .chain(of_checksum + 3..of_checksum + 7)
        .chain(43..47)
    {
        for bit in 0..8 {
            let mut wrong = wire.to_vec();
            wrong[at] ^= 1 << bit;
            let error = ProxyError::Checksum {
                offset: of_checksum,
            };
            assert_eq!(hear(&wrong), Err(error), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn what_cannot_be_said_is_not_sent() {
    let socket = |text: &str| ProxyAddress::Tcp(text.parse().unwrap());
    let unix = |length| ProxyAddress::Unix(vec![b'x'; length].into());
    let mixed = [
        ProxyHeader::forwarded(socket("192.0.2.1:80"), socket("[::1]:80")),
        ProxyHeader::forwarded(socket("192.0.2.1:80"), unix(3)),
        ProxyHeader::forwarded(unix(108), unix(109)),
    ];
    for header in mixed {
        let mut out = b"before".to_vec();
        assert!(matches!(
            header.send_v1(&mut out),
            Err(ProxyError::Unsayable(_))
        ));
        assert!(matches!(
            header.send_v2(&mut out),
            Err(ProxyError::Unsayable(_))
        ));
        assert_eq!(out, b"before");
    }
    let mut tlvs = TlvList::default();
    tlvs.push(0xE0, &[0; 65_535]).unwrap();
    assert!(tlvs.push(0xE0, &[0; 65_536]).is_err());
    let (source, destination) = (socket("192.0.2.1:80"), socket("192.0.2.2:80"));
    let header = ProxyHeader::Forwarded(Forwarded {
        source,
        destination,
        tlvs,
    });
    let mut out = Vec::new();
    assert!(header.send_v1(&mut out).is_err() && header.send_v2(&mut out).is_err());
    assert!(out.is_empty());
}
