//! Producers: rules 66 to 72.

use std::cell::Cell;
use std::io::{self, Cursor, Read};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Producer, Transport};

use super::script::{End, Script, Told};
use super::witness::Log;
use super::{Harness, Stage};
use crate::journal::take_errors;

/// A producer that logs what it is told.
struct Recorder<F> {
    log: Log,
    resumed: F,
}

impl<F: FnMut(&Transport) + 'static> Producer for Recorder<F> {
    fn resume_producing(&mut self, transport: &Transport) {
        self.log.note("resume");
        (self.resumed)(transport);
    }

    fn pause_producing(&mut self, _transport: &Transport) {
        self.log.note("pause");
    }

    fn stop_producing(&mut self, _transport: &Transport) {
        self.log.note("stop");
    }
}

fn recorder(log: &Log, resumed: impl FnMut(&Transport) + 'static) -> impl Producer {
    Recorder {
        log: log.clone(),
        resumed,
    }
}

/// Writes pieces of 10 kB when asked, and ends after so many.
fn pieces(log: &Log, mut count: usize) -> impl Producer {
    recorder(log, move |transport| {
        if count == 0 {
            return transport.unregister_producer();
        }
        count -= 1;
        transport.write(vec![count as u8; 10_000]);
    })
}

fn paused() -> Script {
    Script::new().on_made(Transport::pause_reading)
}

/// Rule 66: a push producer is paused when too much waits, and resumed when nothing does.
pub fn r066_a_push_producer_is_paused_and_resumed(harness: &Harness) {
    let (mut stage, log, left) = (
        Stage::new(harness),
        Log::new(),
        Rc::new(Cell::new(usize::MAX)),
    );
    let (server, client) = stage.pair(Script::new(), paused());
    let (transport, seen) = (server.transport(), left.clone());
    let producer = recorder(&log, move |transport| seen.set(transport.unsent_bytes()));
    transport
        .register_producer(producer, true)
        .expect("there is none");
    let bulk = stage.bulk();
    transport.write(&bulk);
    stage.wait("the pause", || log.has("pause"));
    stage.linger();
    assert_eq!(log, ["pause"]);
    client.transport().resume_reading();
    stage.wait("the end of the pause", || log.has("resume"));
    assert_eq!((log.lines().len(), left.get()), (2, 0), "{log:?}");
    stage.wait("all bytes", || client.received() == bulk.len());
    transport.unregister_producer();
}

/// Rule 66: one that pauses as told never gathers more than the mark and what it writes at a time.
pub fn r066_a_push_producer_that_obeys_gathers_little(harness: &Harness) {
    struct Obedient {
        running: Rc<Cell<bool>>,
    }
    impl Producer for Obedient {
        fn resume_producing(&mut self, _: &Transport) {
            self.running.set(true);
        }
        fn pause_producing(&mut self, _: &Transport) {
            self.running.set(false);
        }
    }
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), paused());
    let (transport, running) = (server.transport(), Rc::new(Cell::new(true)));
    let producer = Obedient {
        running: running.clone(),
    };
    transport
        .register_producer(producer, true)
        .expect("there is none");
    let (mut written, total) = (0, stage.bulk().len());
    while written < total {
        if running.get() {
            transport.write(vec![7; 10_000]);
            written += 10_000;
            stage.turn(Some(Duration::ZERO)).expect("the driver works");
            continue;
        }
        assert!(
            transport.unsent_bytes() <= 64 * 1024 + 10_000,
            "{}",
            transport.unsent_bytes()
        );
        client.transport().resume_reading();
        stage.wait("the end of the pause", || running.get());
    }
    transport.unregister_producer();
    transport.lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(client.received(), written);
}

/// Rule 67: a pull producer is asked once at first and once each time that nothing waits; it is never paused.
pub fn r067_a_pull_producer_is_asked_when_the_queue_is_empty(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    let transport = server.transport();
    transport
        .register_producer(pieces(&log, 30), false)
        .expect("there is none");
    assert!(log.is_empty(), "nothing is called inside");
    stage.wait("all bytes", || client.received() == 300_000);
    stage.linger();
    assert_eq!(
        (log.count("resume"), log.len()),
        (31, 31),
        "30 pieces, and the end"
    );
}

/// Rule 67: one that is not read is not asked.
pub fn r067_a_pull_producer_waits_for_the_peer(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), paused());
    let bulk = stage.bulk();
    let (length, transport) = (bulk.len(), server.transport());
    let producer = recorder(&log, move |transport| transport.write(&bulk));
    transport
        .register_producer(producer, false)
        .expect("there is none");
    stage.wait("the first question", || log.has("resume"));
    stage.linger();
    assert_eq!(log, ["resume"]);
    client.transport().resume_reading();
    stage.wait("the second question", || log.count("resume") > 1);
    assert!(client.received() <= 2 * length);
    transport.unregister_producer();
}

/// Rule 68: a second producer is an error, and the first works on.
pub fn r068_a_second_producer_is_an_error(harness: &Harness) {
    let (mut stage, first, second) = (Stage::new(harness), Log::new(), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    let transport = server.transport();
    transport
        .register_producer(pieces(&first, 2), false)
        .expect("there is none");
    let refused = transport.register_producer(pieces(&second, 2), false);
    assert!(refused.is_err());
    stage.wait("all bytes", || client.received() == 20_000);
    stage.linger();
    assert_eq!((first.count("resume"), second.len()), (3, 0));
    transport
        .register_producer(pieces(&second, 1), false)
        .expect("the first has ended");
    stage.wait("more bytes", || client.received() == 30_000);
}

/// Rule 69: a producer is told once that its connection is lost.
pub fn r069_losing_the_connection_stops_the_producer_once(harness: &Harness) {
    for is_streaming in [true, false] {
        let (mut stage, log) = (Stage::new(harness), Log::new());
        // Bytes that stay unread make an abort a reset on every kind of socket.
        let pause = Script::new().on_made(Transport::pause_reading);
        let talk = Script::new().on_made(|transport| transport.write("unread"));
        let (server, client) = stage.pair(talk, pause);
        stage.linger();
        let producer = recorder(&log, |_| ());
        server
            .transport()
            .register_producer(producer, is_streaming)
            .expect("there is none");
        client.transport().abort_connection();
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        stage.linger();
        assert_eq!(log.count("stop"), 1, "{log:?}");
        assert_eq!(log.lines().last().map(String::as_str), Some("stop"));
    }
}

/// Rule 69: one registered too late is told so, once and not inside the call.
pub fn r069_registering_on_a_closed_transport_stops_the_producer_once(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    client.transport().lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    let producer = recorder(&log, |_| ());
    server
        .transport()
        .register_producer(producer, true)
        .expect("there is none");
    assert!(log.is_empty(), "nothing is called inside");
    stage.wait("the stop", || !log.is_empty());
    stage.linger();
    assert_eq!(log, ["stop"]);
}

/// Rule 70: a connection being lost waits until its producer has ended.
pub fn r070_lose_connection_waits_for_the_producer(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    let own = log.clone();
    let mut left = 5;
    // What a producer writes after `lose_connection` is what the connection waits for.
    let producer = recorder(&Log::new(), move |transport| {
        own.note("resume");
        left -= 1;
        transport.write([left; 1000]);
        if left == 0 {
            transport.unregister_producer();
        }
    });
    server
        .transport()
        .register_producer(producer, false)
        .expect("there is none");
    server.transport().lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!(log.count("resume"), 5);
    assert_eq!((client.received(), client.end()), (5000, Some(End::Done)));
}

/// Rule 70: a push producer too keeps the connection until it is unregistered, which is harmless afterwards.
pub fn r070_unregistering_lets_the_connection_end(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    let transport = server.transport();
    transport
        .register_producer(recorder(&log, |_| ()), true)
        .expect("there is none");
    transport.lose_connection();
    stage.linger();
    assert!(!server.is_lost());
    transport.unregister_producer();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    transport.unregister_producer();
    stage.linger();
    assert_eq!((server.end(), log.count("stop")), (Some(End::Done), 0));
}

/// How a transport is told to end.
type Ending = fn(&Transport);

/// Rule 70: an end that has a reason of its own does not wait for a producer: it may never end.
pub fn r070_an_end_with_a_reason_waits_for_no_producer(harness: &Harness) {
    let ends: [(Ending, End); 4] = [
        (Transport::abort_connection, End::Aborted),
        (|transport| transport.reject("on purpose"), End::Misbehaved),
        (|_| panic!("on purpose"), End::Panicked),
        (
            |transport| _ = transport.set_timeout(Some(Duration::from_millis(2))),
            End::TimedOut,
        ),
    ];
    for (end, reason) in ends {
        let (mut stage, log) = (Stage::new(harness), Log::new());
        let script = Script::new().on_data(move |transport, _| end(transport));
        let (server, client) = stage.pair(script, Script::new());
        let producer = recorder(&log, |_| ());
        server
            .transport()
            .register_producer(producer, true)
            .expect("there is none");
        client.transport().write("go");
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        assert_eq!((server.end(), log.count("stop")), (Some(reason), 1));
        assert!(
            take_errors()
                .iter()
                .all(|error| error.contains("on purpose"))
        );
    }
}

/// Rule 71: a producer may write, and so be paused, inside its own resume.
pub fn r071_a_producer_may_fill_the_queue_inside_its_resume(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    let transport = server.transport();
    let bulk = stage.bulk();
    let (length, some, mut rounds) = (bulk.len(), bulk.clone(), 0);
    let producer = recorder(&log, move |transport| {
        rounds += 1;
        match rounds {
            1..=3 => transport.write(&some),
            _ => transport.unregister_producer(),
        }
    });
    transport
        .register_producer(producer, true)
        .expect("there is none");
    transport.write(&bulk);
    stage.wait("all bytes", || client.received() == 4 * length);
    assert!(*client.bytes() == bulk.repeat(4), "out of order");
    stage.wait("the last resume", || log.count("resume") == 4);
    let turns: Vec<_> = log.lines().iter().map(|line| line == "pause").collect();
    assert_eq!(
        turns,
        [true, false].repeat(4),
        "pause and resume take turns: {log:?}"
    );
}

/// Rule 71: a producer may end itself and name its successor inside its resume.
pub fn r071_a_producer_may_be_replaced_inside_its_resume(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (server, client) = stage.pair(Script::new(), Script::new());
    let next = log.clone();
    let producer = recorder(&log, move |transport| {
        transport.write("one");
        transport.unregister_producer();
        let second = recorder(&next, |transport| {
            transport.write("two");
            transport.unregister_producer();
        });
        transport
            .register_producer(second, false)
            .expect("the first has ended");
    });
    server
        .transport()
        .register_producer(producer, false)
        .expect("there is none");
    stage.wait("all bytes", || &*client.bytes() == b"onetwo");
    stage.linger();
    assert_eq!(log, ["resume", "resume"]);
}

/// A file that notes how much is read at a time.
struct File {
    content: Cursor<Vec<u8>>,
    largest: Rc<Cell<usize>>,
    fails: bool,
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.largest.set(self.largest.get().max(buffer.len()));
        match self.content.read(buffer)? {
            0 if self.fails => Err(io::Error::other("the disk is on fire")),
            read => Ok(read),
        }
    }
}

/// Rule 72: a file is sent in pieces of 16 KiB, on demand, and the last byte fires the Deferred.
pub fn r072_a_file_is_sent_on_demand(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), paused());
    let (bulk, largest) = (stage.bulk(), Rc::new(Cell::new(0)));
    let content = Cursor::new(bulk.clone());
    let sent = server.transport().send_file(File {
        content,
        largest: largest.clone(),
        fails: false,
    });
    stage.linger();
    assert!(!sent.is_fired());
    client.transport().resume_reading();
    let sent = stage.wait_for(sent).expect("nothing fails");
    server.transport().lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert_eq!((sent, largest.get()), (bulk.len() as u64, 16 * 1024));
    assert!(
        *client.bytes() == bulk,
        "{} of {} bytes",
        client.received(),
        bulk.len()
    );
    assert_eq!(
        server.told(),
        [Told::Made, Told::Lost(End::Done)],
        "never too much at once"
    );
}

/// Rule 72: it fails if the peer leaves, or the file cannot be read.
pub fn r072_sending_a_file_fails_if_stopped(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), paused());
    let file = |fails, bytes| File {
        content: Cursor::new(vec![7; bytes]),
        largest: Rc::default(),
        fails,
    };
    let broken = server.transport().send_file(file(true, 100));
    let failure = stage.wait_for(broken).expect_err("the disk is on fire");
    assert!(failure.to_string().contains("on fire"), "{failure}");
    let cut = server
        .transport()
        .send_file(file(false, stage.bulk().len()));
    stage.linger();
    client.transport().abort_connection();
    assert!(stage.wait_for(cut).is_err());
}
