//! The laws of a server's layer, for any bytes.

use ropewalk_core::Layer;
use ropewalk_core::layer::LayerError;
use ropewalk_tls::{TlsClient, TlsLayer, TlsServer};

/// What a layer made of bytes: what came up, how much it said, whether it failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Made {
    up: Vec<u8>,
    down: usize,
    failed: bool,
    ended: bool,
}

/// However the bytes are cut, a layer that waits for a hello makes the same of them, says little, and can be closed.
pub(crate) fn any_split_of_a_hello_is_the_same(server: &TlsServer, bytes: &[u8], sizes: &[usize]) {
    let layer = || {
        let mut layer = TlsLayer::server(server);
        layer.start(&mut Vec::new()).expect("a server waits first");
        layer
    };
    let whole = feed(&mut layer(), bytes, &[usize::MAX]);
    let cut = feed(&mut layer(), bytes, sizes);
    assert_eq!(whole.failed, cut.failed);
    assert!(
        whole.up.is_empty() && cut.up.is_empty(),
        "nothing is above before the handshake is over"
    );
    assert!(whole.down.max(cut.down) < 10_000, "more is said than heard");
}

/// A client's hello that was changed on its way is answered, or refused, the same however it is cut.
pub(crate) fn changed_hellos_end_the_same(
    server: &TlsServer,
    client: &TlsClient,
    change: &[u8],
    sizes: &[usize],
) {
    let mut layer = TlsLayer::client(client, "a.example").expect("a name");
    let mut hello = Vec::new();
    layer.start(&mut hello).expect("a hello");
    // Two bytes say where, one how; so that few bytes reach every place.
    for change in change.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([change[0], change[1]]));
        let place = place % hello.len();
        hello[place] ^= change[2];
    }
    any_split_of_a_hello_is_the_same(server, &hello, sizes);
}

/// A client that waits for an answer hears anything: nothing comes up, and little is said.
pub(crate) fn any_answer_to_a_hello_is_survived(client: &TlsClient, bytes: &[u8], sizes: &[usize]) {
    let layer = || {
        let mut layer = TlsLayer::client(client, "a.example").expect("a name");
        layer.start(&mut Vec::new()).expect("a hello");
        layer
    };
    let whole = feed(&mut layer(), bytes, &[usize::MAX]);
    let cut = feed(&mut layer(), bytes, sizes);
    assert_eq!(whole.failed, cut.failed);
    assert!(whole.up.is_empty() && cut.up.is_empty() && !whole.ended);
    assert!(whole.down.max(cut.down) < 1000);
}

/// An open layer, fed bytes of the peer's that were changed: only an unchanged beginning comes up.
pub(crate) fn changed_records_bring_nothing_up(
    server: &TlsServer,
    client: &TlsClient,
    change: &[u8],
    sizes: &[usize],
) {
    let (mut server, mut client) = open(server, client);
    let mut sent = Vec::new();
    let messages: [&[u8]; 3] = [b"one", &[7; 300], b"three"];
    for message in messages {
        client.send(message, &mut sent);
    }
    let length = sent.len();
    for (place, &change) in change.iter().enumerate() {
        // Spread over all of it; nothing is changed by a zero.
        sent[(place * 37) % length] ^= change;
    }
    let made = feed(&mut server, &sent, sizes);
    let all = messages.concat();
    assert!(all.starts_with(&made.up), "other bytes than were sent");
    assert!(made.failed || made.up == all || made.up.len() < all.len());
    assert!(made.down < 1000);
}

/// An open layer, fed bytes that nobody encrypted.
pub(crate) fn raw_bytes_bring_nothing_up(
    server: &TlsServer,
    client: &TlsClient,
    bytes: &[u8],
    sizes: &[usize],
) {
    let (mut server, _client) = open(server, client);
    let made = feed(&mut server, bytes, sizes);
    assert!(made.up.is_empty() && !made.ended);
    assert!(made.down < 1000);
}

/// Two layers that have shaken hands.
fn open(server: &TlsServer, client: &TlsClient) -> (TlsLayer, TlsLayer) {
    let mut server = TlsLayer::server(server);
    let mut client = TlsLayer::client(client, "a.example").expect("a name");
    let (mut up, mut down) = (Vec::new(), Vec::new());
    client.start(&mut up).expect("a hello");
    server.start(&mut down).expect("a server waits first");
    while !(up.is_empty() && down.is_empty()) {
        server
            .receive(&mut up, &mut |_| {}, &mut down)
            .expect("a client");
        up.clear();
        client
            .receive(&mut down, &mut |_| {}, &mut up)
            .expect("a server");
        down.clear();
    }
    assert!(server.is_open() && client.is_open());
    (server, client)
}

fn feed(layer: &mut TlsLayer, bytes: &[u8], sizes: &[usize]) -> Made {
    let (mut up, mut down, mut failed) = (Vec::new(), Vec::new(), false);
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    while !rest.is_empty() && !failed {
        let size = sizes.next().map_or(usize::MAX, |&size| size.max(1));
        let (piece, more) = rest.split_at(size.min(rest.len()));
        rest = more;
        let outcome = layer.receive(
            &mut piece.to_vec(),
            &mut |data| up.extend_from_slice(data),
            &mut down,
        );
        failed = match outcome {
            Ok(()) => false,
            Err(LayerError::Misbehaved(error)) => !error.to_string().is_empty(),
            Err(error) => panic!("{error:?}"),
        };
    }
    let ended = layer.is_ended();
    layer.close(&mut down);
    Made {
        up,
        down: down.len(),
        failed,
        ended,
    }
}
