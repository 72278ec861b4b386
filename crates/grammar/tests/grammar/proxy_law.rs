//! The laws of the PROXY protocol's grammar, on any bytes and any header.
//!
//! For: the property tests beside this file and the fuzz target, which includes it. Not for: single rules.

use ropewalk_grammar::proxy::{ProxyDecoder, ProxyError, ProxyHeader};

/// A header and how many bytes it had, `None` while it is unfinished, or the rule that was broken.
pub(crate) type Told = Result<Option<(ProxyHeader, usize)>, ProxyError>;

/// Feeds `data` in chunks of `sizes`, over and over, until there is something to tell.
pub(crate) fn hear(decoder: &mut ProxyDecoder, data: &[u8], sizes: &[usize]) -> Told {
    let mut sizes = sizes.iter().cycle();
    let mut received = 0;
    while received < data.len() {
        let size = (*sizes.next().expect("there are sizes")).max(1);
        let end = received.saturating_add(size).min(data.len());
        if let Some((header, used)) = decoder.receive(&data[received..end])? {
            assert_eq!(decoder.buffered(), 0);
            return Ok(Some((header, received + used)));
        }
        assert_eq!(
            decoder.buffered(),
            end,
            "only the header is kept, all of it"
        );
        received = end;
    }
    Ok(None)
}

/// Law: any split tells the same header, of the same length, or the same error; and an error is final.
pub(crate) fn any_split_tells_the_same_header(fresh: &ProxyDecoder, data: &[u8], sizes: &[usize]) {
    let whole = hear(&mut fresh.clone(), data, &[usize::MAX]);
    let mut decoder = fresh.clone();
    let split = hear(&mut decoder, data, sizes);
    assert_eq!(split, whole, "by {sizes:?} of {}", data.escape_ascii());
    if let Err(error) = split {
        assert_eq!(decoder.receive(data), Err(error));
        assert_eq!(decoder.buffered(), 0);
    }
}

/// Law: no bytes behind a header change it, and it is told with its last byte.
pub(crate) fn a_header_ends_where_it_says(fresh: &ProxyDecoder, data: &[u8]) {
    if let Ok(Some((header, used))) = fresh.clone().receive(data) {
        assert_eq!(fresh.clone().receive(&data[..used - 1]), Ok(None));
        assert_eq!(
            fresh.clone().receive(&data[..used]),
            Ok(Some((header.clone(), used)))
        );
        sent_headers_are_received(&header, &[1]);
    }
}

/// Law: what one end sends, the other receives; what cannot be sent leaves no bytes.
pub(crate) fn sent_headers_are_received(header: &ProxyHeader, sizes: &[usize]) {
    let mut decoder = ProxyDecoder::new().with_limit_bytes(usize::MAX);
    let without_local = match header {
        ProxyHeader::Local => &ProxyHeader::Unknown,
        other => other,
    };
    let mut line = Vec::new();
    if header.send_v1(&mut line).is_ok() {
        let told = hear(&mut decoder.clone(), &line, sizes);
        assert_eq!(told, Ok(Some((without_local.clone(), line.len()))));
    }
    assert!(line.is_empty() || line.ends_with(b"\r\n"));
    let mut binary = Vec::new();
    match header.send_v2(&mut binary) {
        Ok(()) => {
            let told = hear(&mut decoder, &binary, sizes);
            assert_eq!(told, Ok(Some((header.clone(), binary.len()))));
        }
        Err(_) => assert!(binary.is_empty()),
    }
}
