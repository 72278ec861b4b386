//! Half-closing, pausing and options of stream transports: rules 59 to 65.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Transport;
use ropewalk_core::driver::SocketOption;

use super::script::{Diary, End, Script, Told};
use super::witness::Log;
use super::{Harness, Stage};
use crate::journal::take_errors;

/// Rule 59: half-closing sends what is queued, then the end; reading goes on.
pub fn r059_half_closing_sends_everything_and_goes_on_reading(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let answer = Script::new().on_eof(|transport| {
        transport.write("an answer to all of it");
        transport.lose_connection();
    });
    let (server, client) = stage.pair(answer, Script::new());
    let transport = client.transport();
    transport.write(&bulk);
    transport.lose_write_connection();
    transport.write("dropped");
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert!(
        *server.bytes() == bulk,
        "{} of {} bytes",
        server.received(),
        bulk.len()
    );
    assert_eq!(client.count(&Told::WriteLost), 1);
    assert_eq!(&*client.bytes(), b"an answer to all of it");
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
}

/// Rule 60: a protocol that is told of the peer's half-close may go on writing.
pub fn r060_after_the_peers_half_close_writing_goes_on(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let (server, client) = stage.pair(Script::new().on_eof(|_| ()), Script::new());
    client.transport().lose_write_connection();
    stage.wait("the end of reading", || server.has(&Told::Eof));
    stage.linger();
    assert!(server.transport().is_open());
    server.transport().write(&bulk);
    stage.wait("all bytes", || client.received() == bulk.len());
    server.transport().lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
    assert_eq!(server.count(&Told::Eof), 1);
}

/// Rule 61, ours: if it does not handle the half-close, what was queued is still sent, and the end is in order.
pub fn r061_an_unhandled_half_close_still_sends_what_is_queued(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let some = bulk.clone();
    let write = Script::new().on_data(move |transport, _| transport.write(&some));
    let ask = Script::new().on_made(|transport| {
        transport.pause_reading();
        transport.write("all of it, please");
        transport.lose_write_connection();
    });
    let (server, client) = stage.pair(write, ask);
    stage.wait("the question", || server.received() > 0);
    stage.linger();
    client.transport().resume_reading();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert!(client.received() >= bulk.len() && client.received() % bulk.len() == 0);
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
}

/// Rule 62: a panic in the callback of a half-close ends the connection.
pub fn r062_a_panic_at_the_half_close_ends_the_connection(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_eof(|_| panic!("on purpose"));
    let (server, client) = stage.pair(script, Script::new());
    client.transport().lose_write_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(
        server.told(),
        [Told::Made, Told::Eof, Told::Lost(End::Panicked)]
    );
    assert!(
        take_errors()
            .iter()
            .all(|error| error.contains("on purpose"))
    );
}

/// Rule 62: half-closing in answer to a half-close ends both in order.
pub fn r062_both_may_half_close(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new()
        .on_eof(Transport::lose_write_connection)
        .on_write_lost(Transport::lose_connection);
    let (server, client) = stage.pair(script, Script::new());
    client.transport().lose_write_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
    assert_eq!(
        (
            server.count(&Told::WriteLost),
            client.count(&Told::WriteLost)
        ),
        (1, 1)
    );
}

/// Rule 62: once both halves are closed the connection is over without being told to.
pub fn r062_two_closed_halves_are_an_end(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let patient = || Script::new().on_eof(|_| ());
    let (server, client) = stage.pair(patient(), patient());
    client.transport().lose_write_connection();
    stage.wait("the end of reading", || server.has(&Told::Eof));
    server.transport().lose_write_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
}

/// Rule 63: pausing loses nothing, also in the middle of a burst.
pub fn r063_pausing_stops_delivery_and_loses_nothing(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_data(|transport, _| transport.pause_reading());
    let (server, client) = stage.pair(script, Script::new());
    let mut written = Vec::new();
    for number in 0..20_u8 {
        client.transport().write([number; 700]);
        written.extend([number; 700]);
        stage.turn(Some(Duration::ZERO)).expect("the driver works");
    }
    stage.wait("the first bytes", || server.received() > 0);
    while server.received() < written.len() {
        let before = server.received();
        stage.linger();
        assert_eq!(server.received(), before, "delivered while paused");
        server.transport().resume_reading();
        stage.wait("more", || server.received() > before);
    }
    assert_eq!(*server.bytes(), written);
}

/// Rule 63: also in `connection_made`.
pub fn r063_pausing_in_connection_made_stops_the_first_byte(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_made(Transport::pause_reading);
    let eager = Script::new().on_made(|transport| transport.write("at once"));
    let (server, _client) = stage.pair(script, eager);
    stage.linger();
    assert_eq!(server.told(), [Told::Made]);
    assert!(server.transport().is_reading_paused());
    server.transport().resume_reading();
    stage.wait("the bytes", || &*server.bytes() == b"at once");
}

/// Rule 63: also when it is paused from elsewhere, and resumed, and paused again.
pub fn r063_pausing_from_elsewhere_stops_delivery(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), Script::new());
    for round in 1..=3 {
        server.transport().pause_reading();
        stage.turn(Some(Duration::ZERO)).expect("the driver works");
        client.transport().write("ten bytes!");
        stage.linger();
        assert_eq!(server.received(), (round - 1) * 10);
        server.transport().resume_reading();
        stage.wait("the bytes", || server.received() == round * 10);
    }
}

/// Rule 63: also for a connection whose bytes are in the same batch of events as those of the one that pauses it.
pub fn r063_pausing_within_a_batch_stops_delivery(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let all = Rc::new(RefCell::new(Vec::<Transport>::new()));
    let told = Log::new();
    let (known, log) = (all.clone(), told.clone());
    let port = stage.listen(move || {
        let (known, make, log) = (known.clone(), known.clone(), log.clone());
        Script::new()
            .on_made(move |transport| make.borrow_mut().push(transport.clone()))
            .on_data(move |_, data| {
                log.note(String::from_utf8_lossy(data));
                known.borrow().iter().for_each(Transport::pause_reading);
            })
    });
    let clients: Vec<_> = (0..10)
        .map(|_| stage.dial(port.host(), Script::new()))
        .collect();
    stage.wait("the connections", || all.borrow().len() == 10);
    stage.wait("the connections", || clients.iter().all(Diary::is_made));
    clients
        .iter()
        .for_each(|client| client.transport().write("!"));
    for count in 1..=10 {
        stage.wait("a byte", || told.len() >= count);
        stage.linger();
        assert_eq!(told.len(), count, "told while paused");
        all.borrow().iter().for_each(Transport::resume_reading);
    }
}

/// Rule 63: nothing is delivered inside `resume_reading`.
pub fn r063_resuming_delivers_later(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(script, Script::new());
    client.transport().write("waiting");
    stage.linger();
    server.transport().resume_reading();
    assert_eq!(server.received(), 0);
    stage.wait("the bytes", || server.received() == 7);
}

/// Rule 63: who does not read blocks who writes, and that is told.
pub fn r063_a_paused_reader_blocks_the_writer(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let length = bulk.len();
    let script = Script::new().on_made(move |transport| transport.write(&bulk));
    let pause = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(script, pause);
    stage.wait("the pause", || server.has(&Told::Paused));
    stage.linger();
    assert!(server.transport().unsent_bytes() > 0);
    assert_eq!((client.received(), server.has(&Told::Resumed)), (0, false));
    client.transport().resume_reading();
    stage.wait("the end of the pause", || server.has(&Told::Resumed));
    stage.wait("all bytes", || client.received() == length);
    assert_eq!(server.told(), [Told::Made, Told::Paused, Told::Resumed]);
}

/// Rule 63, ours: who does not read what it asked for is not read either.
pub fn r063_a_writer_that_is_blocked_does_not_read(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let script = Script::new().on_data(move |transport, _| transport.write(&bulk));
    let pause = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(script, pause);
    client.transport().write("?");
    stage.wait("the pause", || server.has(&Told::Paused));
    client.transport().write("not yet");
    stage.linger();
    assert_eq!(server.received(), 1);
    client.transport().resume_reading();
    stage.wait("the rest", || server.received() == 8);
}

/// Rule 64: a paused connection that the peer closed ends once it is resumed.
pub fn r064_a_paused_connection_hears_of_its_end_when_resumed(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(script, Script::new());
    client.transport().write("last words");
    client.transport().lose_connection();
    stage.wait("the peer's end", || client.is_lost());
    stage.linger();
    assert_eq!(server.told(), [Told::Made]);
    server.transport().resume_reading();
    stage.wait("the end", || server.is_lost());
    let all = [Told::Made, Told::Data(10), Told::Eof, Told::Lost(End::Done)];
    assert_eq!(server.told(), all);
    server.transport().resume_reading();
    stage.linger();
    assert_eq!(server.told(), all);
}

/// Rule 64: so it does when it is closed by us.
pub fn r064_a_paused_connection_can_be_closed(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(script, Script::new());
    client.transport().lose_connection();
    stage.wait("the peer's end", || client.is_lost());
    server.transport().lose_connection();
    stage.wait("the end", || server.is_lost());
    assert_eq!(server.told(), [Told::Made, Told::Lost(End::Done)]);
}

/// Rule 65: options are set, and read back.
pub fn r065_options_are_set_and_read_back(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::echo(), Script::new());
    let minute = Some(Duration::from_secs(60));
    for end in [client.transport(), server.transport()] {
        assert!(end.options().no_delay, "on by default");
        end.set_option(SocketOption::NoDelay(false));
        end.set_option(SocketOption::KeepAlive(minute));
        end.set_option(SocketOption::UserTimeout(minute));
        assert_eq!(
            (end.options().no_delay, end.options().keep_alive),
            (false, minute)
        );
        end.set_option(SocketOption::KeepAlive(None));
        assert_eq!(end.options().keep_alive, None);
    }
    client.transport().write("works on");
    stage.wait("the echo", || client.received() == 8);
}
