//! Writing to and ending stream transports: rules 50 to 58.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Transport;
use ropewalk_core::driver::SocketOption;

use super::script::{End, Script, Told};
use super::{Harness, Stage};

/// Rule 50: bytes come in the order of the writes, whatever kind each was; a list is its parts.
pub fn r050_bytes_come_in_the_order_of_writes(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), Script::new());
    let (transport, mut written) = (client.transport(), Vec::new());
    for round in 0..40_u8 {
        let large = vec![round; 9000];
        transport.write([round; 3]);
        transport.write_owned(large.clone());
        transport.write_vectored([&b"a"[..], b"", b"list"]);
        transport.write_owned(vec![round]);
        written.extend([round; 3]);
        written.extend(large);
        written.extend(b"alist");
        written.push(round);
        if round % 8 == 0 {
            stage.turn(Some(Duration::ZERO)).expect("the driver works");
        }
    }
    stage.wait("all bytes", || server.received() >= written.len());
    assert_eq!(*server.bytes(), written);
}

/// Rule 50: a write calls nobody back.
pub fn r050_a_write_never_calls_back(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let inside = Rc::new(Cell::new(false));
    let (enter, data) = (inside.clone(), inside);
    let talk = move |transport: &Transport| {
        enter.set(true);
        for _ in 0..100 {
            transport.write([7; 1000]);
        }
        enter.set(false);
    };
    let script = Script::new()
        .on_made(talk)
        .on_data(move |_, _| assert!(!data.get()));
    let (_, client) = stage.pair(Script::echo(), script);
    let before = client.told();
    client.transport().write("outside of any callback");
    assert_eq!(client.told(), before);
    stage.wait("the echo", || client.received() == 100_023);
}

/// Rule 51: what was written before `lose_connection` is sent, whatever the size.
pub fn r051_lose_connection_sends_everything_first(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let (some, length) = (bulk.clone(), bulk.len());
    let script = Script::new().on_made(move |transport| {
        transport.write(&some[..length / 2]);
        transport.write_owned(some[length / 2..].to_vec());
        transport.lose_connection();
    });
    let (server, client) = stage.pair(script, Script::new());
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert!(
        *client.bytes() == bulk,
        "{} of {} bytes",
        client.received(),
        bulk.len()
    );
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
}

/// Rule 51: also when the peer does not read for a while.
pub fn r051_lose_connection_waits_for_a_slow_peer(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let some = bulk.clone();
    let write = move |transport: &Transport| {
        transport.write(&some);
        transport.lose_connection();
    };
    let pause = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(Script::new().on_made(write), pause);
    stage.linger();
    assert!(!server.is_lost() && client.received() == 0);
    client.transport().resume_reading();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert!(
        *client.bytes() == bulk,
        "{} of {} bytes",
        client.received(),
        bulk.len()
    );
}

/// Rule 52: after `lose_connection` nothing more is delivered, and resuming does not change that.
pub fn r052_nothing_is_delivered_after_lose_connection(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let (length, write) = (bulk.len(), move |transport: &Transport| {
        transport.write(&bulk);
        transport.lose_connection();
    });
    let pause = Script::new().on_made(|transport| {
        transport.pause_reading();
        transport.write("not wanted any more");
    });
    let (server, client) = stage.pair(Script::new().on_made(write), pause);
    server.transport().pause_reading();
    stage.linger();
    server.transport().resume_reading();
    stage.linger();
    assert_eq!(server.told(), [Told::Made, Told::Paused]);
    client.transport().resume_reading();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!((server.received(), client.received()), (0, length));
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Done), Some(End::Done))
    );
}

/// Rule 53, ours: what is written after `lose_connection` is dropped.
pub fn r053_writes_after_lose_connection_are_dropped(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), Script::new());
    let transport = server.transport();
    transport.write("kept");
    transport.lose_connection();
    transport.write("dropped");
    transport.write_owned(vec![0; 10_000]);
    transport.write_vectored(["dropped too"]);
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(&*client.bytes(), b"kept");
}

/// Rule 54: a handle on a connection that is gone does nothing.
pub fn r054_a_handle_does_nothing_after_the_end(harness: &Harness) {
    for end in [Transport::lose_connection, Transport::abort_connection] {
        let mut stage = Stage::new(harness);
        let (server, client) = stage.pair(Script::new(), Script::new());
        end(&client.transport());
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        for diary in [client, server] {
            let (told, transport) = (diary.told(), diary.transport());
            assert!(!transport.is_open());
            use_all_of(&transport);
            stage.linger();
            assert!(!transport.is_open());
            assert_eq!((transport.unsent_bytes(), diary.told()), (0, told));
        }
    }
}

fn use_all_of(transport: &Transport) {
    transport.write("ignored");
    transport.write_owned(vec![0; 10_000]);
    transport.pause_reading();
    transport.resume_reading();
    transport.set_option(SocketOption::NoDelay(false));
    transport.set_timeout(Some(Duration::from_millis(1)));
    transport.call_soon(|_: &mut Script, _| panic!("there is no protocol"));
    transport.call_later(Duration::ZERO, |_: &mut Script, _| {
        panic!("there is no protocol")
    });
    transport.switch_protocol(Script::echo(), "unread");
    transport.lose_write_connection();
    transport.lose_connection();
    transport.abort_connection();
}

/// Rule 55: `connection_lost` never runs inside a call that the protocol makes.
pub fn r055_lost_is_never_told_inside_a_call(harness: &Harness) {
    let ends: [fn(&Transport); 4] = [
        Transport::lose_connection,
        Transport::abort_connection,
        |transport| transport.reject("on purpose"),
        |transport| {
            transport.write("last words");
            transport.lose_write_connection();
            transport.lose_connection();
        },
    ];
    for end in ends {
        let mut stage = Stage::new(harness);
        let inside = Rc::new(Cell::new(false));
        let (enter, lost) = (inside.clone(), inside.clone());
        let script = Script::new()
            .on_data(move |transport, _| {
                enter.set(true);
                end(transport);
                transport.write("more");
                enter.set(false);
            })
            .on_lost(move |_| assert!(!lost.get(), "lost inside a call"));
        let (server, client) = stage.pair(script, Script::new());
        client.transport().write("go");
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        assert_ne!(server.end(), Some(End::Panicked));
    }
}

/// Rule 55, where Twisted breaks it: `lose_connection` when our half is closed already.
pub fn r055_lost_is_not_told_inside_lose_connection_after_half_closing(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let inside = Rc::new(Cell::new(false));
    let (enter, lost) = (inside.clone(), inside);
    let script = Script::new()
        .on_made(Transport::lose_write_connection)
        .on_write_lost(move |transport| {
            enter.set(true);
            transport.lose_connection();
            enter.set(false);
        })
        .on_lost(move |_| assert!(!lost.get(), "lost inside a call"));
    let (server, client) = stage.pair(script, Script::new());
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(
        server.told(),
        [Told::Made, Told::WriteLost, Told::Lost(End::Done)]
    );
}

/// Rule 56: an abort drops what is queued, resets the peer, and is told in a later pass.
pub fn r056_an_abort_drops_what_is_queued_and_resets_the_peer(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let length = bulk.len();
    let script = Script::new().on_made(move |transport| transport.write(&bulk));
    let pause = Script::new().on_made(Transport::pause_reading);
    let (server, client) = stage.pair(script, pause);
    stage.linger();
    server.transport().abort_connection();
    assert!(!server.is_lost() && !server.transport().is_open());
    client.transport().resume_reading();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(server.end(), Some(End::Aborted));
    harness.assert_aborted_by_peer(&client);
    assert!(client.received() < length);
}

/// Rule 56: it ends the connection also when nothing is queued, and nothing more is delivered.
pub fn r056_nothing_is_delivered_after_an_abort(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = Script::new().on_data(|transport, _| transport.abort_connection());
    let (server, client) = stage.pair(script, Script::new());
    client.transport().write("one");
    stage.turn(Some(Duration::ZERO)).expect("the driver works");
    client.transport().write("two");
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    stage.linger();
    let told = server.told();
    assert!(
        matches!(
            told[..],
            [Told::Made, Told::Data(_), Told::Lost(End::Aborted)]
        ),
        "{told:?}"
    );
    harness.assert_aborted_by_peer(&client);
}

/// Rule 57: to abort twice, or to lose after aborting, is one end.
pub fn r057_aborting_twice_is_one_end(harness: &Harness) {
    let calls: [fn(&Transport); 3] = [
        |transport| {
            transport.abort_connection();
            transport.abort_connection();
        },
        |transport| {
            transport.abort_connection();
            transport.lose_connection();
        },
        |transport| {
            transport.lose_connection();
            transport.abort_connection();
        },
    ];
    for call in calls {
        let mut stage = Stage::new(harness);
        let (server, client) = stage.pair(Script::new(), Script::new());
        call(&client.transport());
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        stage.linger();
        assert_eq!(client.told(), [Told::Made, Told::Lost(End::Aborted)]);
        harness.assert_aborted_by_peer(&server);
    }
}

/// How a transport is told to end.
type Ending = fn(&Transport);

/// Rule 58: an orderly end, a reset and an abort of our own are three reasons.
pub fn r058_three_ends_have_three_reasons(harness: &Harness) {
    let ends: [(Ending, End); 2] = [
        (Transport::lose_connection, End::Done),
        (Transport::abort_connection, End::Aborted),
    ];
    for (end, near) in ends {
        let mut stage = Stage::new(harness);
        let (server, client) = stage.pair(Script::new(), Script::new());
        end(&client.transport());
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        assert_eq!(client.end(), Some(near));
        match near {
            End::Aborted => harness.assert_aborted_by_peer(&server),
            _ => assert_eq!(server.end(), Some(near)),
        }
    }
}
