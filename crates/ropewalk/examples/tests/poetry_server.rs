//! The recital, on a transport without a network.

use ropewalk::testing::StringTransport;

use super::*;

const DELAY: Duration = Duration::from_secs(10);

fn recital(poem: &'static str) -> StringTransport {
    StringTransport::new(Poet::new(&Bytes::from_static(poem.as_bytes()), DELAY))
}

#[test]
fn a_poem_comes_in_pieces_over_its_time() {
    let mut listener = recital(POEM);
    let mut pieces = 0;
    while !listener.is_disconnected() {
        pieces += usize::from(listener.sent().len() < POEM.len());
        listener.advance(DELAY / 100);
    }
    assert_eq!(listener.take_sent(), POEM.as_bytes());
    assert!(pieces >= 90, "it came too early: {pieces}");
    assert!(listener.lost_reason().unwrap().is_clean());
}

#[test]
fn short_poems_and_none_end_as_well() {
    for poem in ["", "x", "a haiku"] {
        let mut listener = recital(poem);
        listener.advance(DELAY);
        assert_eq!(listener.take_sent(), poem.as_bytes());
        assert!(listener.is_disconnected());
    }
}

#[test]
fn a_listener_who_leaves_hears_no_more() {
    let mut listener = recital(POEM);
    listener.take_sent();
    listener.fail(std::io::ErrorKind::ConnectionReset);
    listener.advance(DELAY);
    assert_eq!(listener.take_sent(), b"");
}

#[test]
fn a_missing_poem_is_an_error_that_names_it() {
    let failure = load(Path::new("no/such/poem")).unwrap_err().to_string();
    assert!(failure.contains("no/such/poem"), "{failure}");
}
