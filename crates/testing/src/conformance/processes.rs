//! Child processes: rules 90 to 92. They need a real kernel, with `/bin/sh`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::process::{
    ExitStatus, OutputOptions, OutputTooLong, ProcessExitedAlready, ProcessProtocol,
    ProcessTransport, SignalNumber, Spawn, SpawnError,
};
use ropewalk_core::{Address, Descriptor, Failure, Grace, Scope};

use super::script::{End, Script};
use super::{Harness, Stage};
use crate::journal::take_errors;

/// What a child's protocol was told, in order; bytes are gathered by descriptor.
#[derive(Clone, Default)]
struct Tale(Rc<RefCell<Told>>);

#[derive(Default)]
struct Told {
    lines: Vec<String>,
    bytes: BTreeMap<u32, Vec<u8>>,
    transport: Option<ProcessTransport>,
}

impl Tale {
    fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    fn has(&self, line: &str) -> bool {
        self.0.borrow().lines.iter().any(|told| told == line)
    }

    fn text(&self, descriptor: u32) -> String {
        let told = self.0.borrow();
        let bytes = told.bytes.get(&descriptor);
        String::from_utf8_lossy(bytes.map_or(&[], Vec::as_slice)).into_owned()
    }

    fn length(&self, descriptor: u32) -> usize {
        self.0.borrow().bytes.get(&descriptor).map_or(0, Vec::len)
    }

    fn transport(&self) -> ProcessTransport {
        let told = self.0.borrow();
        told.transport.clone().expect("the child has started")
    }

    fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().lines.push(line.into());
    }
}

impl ProcessProtocol for Tale {
    fn process_started(&mut self, transport: &ProcessTransport) {
        self.note("started");
        self.0.borrow_mut().transport = Some(transport.clone());
    }
    fn child_data_received(&mut self, _: &ProcessTransport, descriptor: u32, data: &[u8]) {
        let mut told = self.0.borrow_mut();
        if !told.bytes.contains_key(&descriptor) {
            told.lines.push(format!("data {descriptor}"));
        }
        told.bytes
            .entry(descriptor)
            .or_default()
            .extend_from_slice(data);
    }
    fn child_connection_lost(&mut self, _: &ProcessTransport, descriptor: u32) {
        self.note(format!("lost {descriptor}"));
    }
    fn writing_paused(&mut self, _: &ProcessTransport, descriptor: u32) {
        self.note(format!("paused {descriptor}"));
    }
    fn writing_resumed(&mut self, _: &ProcessTransport, descriptor: u32) {
        self.note(format!("resumed {descriptor}"));
    }
    fn process_exited(&mut self, transport: &ProcessTransport, status: ExitStatus) {
        assert_eq!(transport.status(), Some(status));
        self.note(format!("exited: {status}"));
    }
    fn process_ended(&mut self, _: &ProcessTransport, status: ExitStatus) {
        self.note(format!("ended: {status}"));
    }
}

fn shell(script: &str) -> Spawn {
    Spawn::new("/bin/sh").arg("-c").arg(script)
}

/// Starts a child and waits until it runs.
#[track_caller]
fn start(stage: &mut Stage, spawn: &Spawn) -> Tale {
    let tale = Tale::default();
    let started = stage.spawn_process(spawn, tale.clone());
    stage.wait_for(started).expect("the child can be started");
    tale
}

#[track_caller]
fn wait_for_line(stage: &mut Stage, tale: &Tale, line: &str) {
    stage.wait(line, || tale.has(line));
}

#[track_caller]
fn wait_for_end(stage: &mut Stage, tale: &Tale) -> String {
    stage.wait("the end", || {
        tale.lines().iter().any(|line| line.starts_with("ended"))
    });
    tale.lines().pop().unwrap_or_default()
}

/// Rule 90: the exit is told although a grandchild still holds the pipes; the end only when that is gone too.
pub fn r090_an_exit_is_told_while_a_grandchild_holds_the_pipes(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let spawn = shell("(read word; echo got $word) <&3 & exit 3").write_to(3);
    let tale = start(&mut stage, &spawn);
    wait_for_line(&mut stage, &tale, "exited: exit status 3");
    stage.linger();
    assert_eq!(tale.text(1), "");
    tale.transport().write_to_child(3, "hello\n");
    tale.transport().close_stdin();
    assert_eq!(wait_for_end(&mut stage, &tale), "ended: exit status 3");
    assert_eq!(tale.text(1), "got hello\n");
    for pipe in ["lost 0", "lost 1", "lost 2", "lost 3"] {
        let times = tale.lines().iter().filter(|line| *line == pipe).count();
        assert_eq!(times, 1, "{:?}", tale.lines());
    }
}

/// Rule 90: the end waits for the exit, also when every pipe has ended.
pub fn r090_the_end_waits_for_the_exit(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (theirs, ours) = io::pipe().expect("a pipe can be had");
    let held = Descriptor::new(OwnedFd::from(theirs));
    let spawn = shell("exec 0<&- 1>&- 2>&-; read word <&3; exit 4").descriptor(3, held);
    let tale = start(&mut stage, &spawn);
    drop(spawn);
    for pipe in ["lost 0", "lost 1", "lost 2"] {
        wait_for_line(&mut stage, &tale, pipe);
    }
    stage.linger();
    assert!(!tale.lines().iter().any(|line| line.starts_with("e")));
    drop(ours);
    wait_for_end(&mut stage, &tale);
    let lines = tale.lines();
    assert_eq!(
        lines[lines.len() - 2..],
        ["exited: exit status 4", "ended: exit status 4"]
    );
}

/// Rule 90: both calls carry the code or the signal, and nothing comes before `process_started`.
pub fn r090_an_end_says_how(harness: &Harness) {
    let mut stage = Stage::new(harness);
    for (script, status) in [
        ("exit 0", "exit status 0"),
        ("echo x; exit 42", "exit status 42"),
        ("kill -KILL $$", "ended by SIGKILL"),
        ("kill -TERM $$", "ended by SIGTERM"),
    ] {
        let tale = start(&mut stage, &shell(script));
        tale.transport().close_stdin();
        wait_for_end(&mut stage, &tale);
        let lines = tale.lines();
        assert_eq!(lines[0], "started");
        assert!(lines.contains(&format!("exited: {status}")), "{lines:?}");
        assert_eq!(lines[lines.len() - 1], format!("ended: {status}"));
    }
}

/// Rule 90: a child without any pipe is told of as well.
pub fn r090_a_child_needs_no_pipes(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let tale = start(&mut stage, &shell("exit 9").null(0).null(1).null(2));
    wait_for_end(&mut stage, &tale);
    let expected = ["started", "exited: exit status 9", "ended: exit status 9"];
    assert_eq!(tale.lines(), expected);
}

/// Rule 91: pipes lie where they were asked for, in both directions.
pub fn r091_pipes_lie_on_any_descriptor(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let spawn = shell("cat <&4 >&3; echo done >&7")
        .read_from(3)
        .write_to(4)
        .read_from(7)
        .null(0)
        .null(1)
        .inherit(2);
    let tale = start(&mut stage, &spawn);
    let bulk = stage.bulk();
    tale.transport().write_to_child(4, &bulk);
    tale.transport().close_child_descriptor(4);
    wait_for_end(&mut stage, &tale);
    assert!(tale.0.borrow().bytes[&3] == bulk, "{}", tale.length(3));
    assert_eq!(tale.text(7), "done\n");
}

/// Rule 91: the environment, the working directory and argument 0 are those asked for.
pub fn r091_a_child_gets_what_it_was_given(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let spawn = shell("echo $0; pwd; echo $A-$HOME")
        .arg("zero")
        .clear_env()
        .env("A", "b c")
        .current_dir("/");
    let output = stage.process_output(&spawn);
    let output = stage.wait_for(output).expect("the child runs");
    assert_eq!(String::from_utf8_lossy(&output.out), "zero\n/\nb c-\n");
    let spawn = shell("echo ${PATH:+path} ${GONE:-gone}")
        .env("GONE", "x")
        .without_env("GONE");
    let output = stage.process_output(&spawn);
    let output = stage.wait_for(output).expect("the child runs");
    assert_eq!(String::from_utf8_lossy(&output.out), "path gone\n");
}

/// Rule 92: a signal reaches the child, which may catch it.
pub fn r092_a_child_can_be_signalled(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do read word; done";
    let tale = start(&mut stage, &shell(script));
    stage.wait("ready", || tale.text(1) == "ready\n");
    let transport = tale.transport();
    assert_eq!(transport.signal_process(SignalNumber::TERMINATE), Ok(()));
    wait_for_line(&mut stage, &tale, "exited: exit status 5");
    stage.wait("the trap", || tale.text(1) == "ready\ncaught\n");
}

/// Rule 92: signalling a child that exited is an error of its own.
pub fn r092_signalling_who_exited_is_an_error(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let tale = start(&mut stage, &shell("exit 0").null(0));
    wait_for_end(&mut stage, &tale);
    let transport = tale.transport();
    let outcome = transport.signal_process(SignalNumber::KILL);
    assert_eq!(outcome, Err(ProcessExitedAlready));
    transport.kill();
    transport.write("nobody reads this");
    transport.lose_connection();
    stage.linger();
}

/// A child that reads slowly makes us wait, and one that we do not read has to wait.
pub fn r063_pipes_have_back_pressure(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let spawn = shell("read word <&3; cat").write_to(3);
    let tale = start(&mut stage, &spawn);
    let (transport, bulk) = (tale.transport(), stage.bulk());
    transport.write(&bulk);
    wait_for_line(&mut stage, &tale, "paused 0");
    let out = transport.pipe(1).expect("it is open");
    out.pause_reading();
    transport.write_to_child(3, "go\n");
    stage.linger();
    let stdin = transport.pipe(0).expect("it is open");
    assert_eq!(tale.length(1), 0);
    assert!(stdin.unsent_bytes() > 0, "the child cannot have read all");
    out.resume_reading();
    transport.close_stdin();
    wait_for_end(&mut stage, &tale);
    assert!(tale.0.borrow().bytes[&1] == bulk);
}

/// A child that closes its standard input is noticed, without anything being written.
pub fn r090_a_closed_stdin_is_noticed(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let tale = start(
        &mut stage,
        &shell("exec 0<&-; echo closed; read word <&3").write_to(3),
    );
    wait_for_line(&mut stage, &tale, "lost 0");
    assert!(!tale.has("lost 1"));
    tale.transport().close_child_descriptor(3);
    wait_for_end(&mut stage, &tale);
}

#[track_caller]
fn spawn_error(stage: &mut Stage, spawn: &Spawn) -> String {
    let started = stage.spawn_process(spawn, Tale::default());
    let failure: Failure = stage.wait_for(started).expect_err("it cannot be started");
    let error = failure
        .downcast::<SpawnError>()
        .expect("that is its failure");
    error.to_string()
}

/// What cannot be started says why, and leaves nothing.
pub fn r091_what_cannot_be_started_says_why(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let text = spawn_error(&mut stage, &Spawn::new("/nowhere/at-all"));
    assert!(
        text.starts_with("cannot start \"/nowhere/at-all\": "),
        "{text}"
    );
    assert!(text.ends_with("is it installed, and in PATH?"), "{text}");
    let text = spawn_error(&mut stage, &Spawn::new("/"));
    assert!(text.contains("is it executable"), "{text}");
    let text = spawn_error(&mut stage, &shell("exit 0").current_dir("/nowhere"));
    assert!(text.contains("working directory /nowhere"), "{text}");
    let text = spawn_error(&mut stage, &shell("exit 0").inherit(9));
    assert!(text.contains("Spawn::descriptor"), "{text}");
    spawn_error(&mut stage, &Spawn::new("nul\0"));
}

/// What a program writes is gathered, up to a limit; a cancelled one is killed.
pub fn r090_output_is_gathered_up_to_a_limit(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let options = OutputOptions {
        stdin: b"to be sorted\nall of it\n".to_vec(),
        ..OutputOptions::default()
    };
    let output = stage.process_output_with(&shell("sort; echo err >&2; exit 2"), options);
    let output = stage.wait_for(output).expect("it can be started");
    assert_eq!(output.out, b"all of it\nto be sorted\n");
    assert_eq!(
        (output.err, output.status.code()),
        (b"err\n".to_vec(), Some(2))
    );

    let options = OutputOptions {
        limit_bytes: 100_000,
        ..OutputOptions::default()
    };
    let output = stage.process_output_with(&shell("while :; do echo on and on; done"), options);
    let failure = stage.wait_for(output).expect_err("it is too much");
    assert!(failure.is::<OutputTooLong>(), "{failure}");

    let cancelled = stage.process_output(&shell("exec cat /dev/zero"));
    stage.linger();
    let result = stage.wait_for(cancelled.cancel());
    assert!(result.is_err());

    let value = stage.process_value(&shell("echo x; kill -TERM $$"));
    let value = stage.wait_for(value).expect("it can be started");
    assert_eq!(value.signal(), Some(SignalNumber::TERMINATE));
}

/// Rule 14: a panic in a callback closes the pipes of its child, and the end is still told.
pub fn r014_a_panic_closes_the_pipes_of_its_child_only(harness: &Harness) {
    struct Panics(Tale);
    impl ProcessProtocol for Panics {
        fn out_received(&mut self, _: &ProcessTransport, _: &[u8]) {
            panic!("on purpose");
        }
        fn process_ended(&mut self, _: &ProcessTransport, status: ExitStatus) {
            self.0.note(format!("ended: {status}"));
        }
    }
    let mut stage = Stage::new(harness);
    let other = start(&mut stage, &shell("cat"));
    let tale = Tale::default();
    let panics = stage.spawn_process(&shell("echo x; cat"), Panics(tale.clone()));
    stage.wait_for(panics).expect("it can be started");
    assert_eq!(wait_for_end(&mut stage, &tale), "ended: exit status 0");
    let errors = take_errors();
    assert!(
        errors.len() == 1 && errors[0].contains("on purpose"),
        "{errors:?}"
    );
    other.transport().write("still there");
    other.transport().close_stdin();
    wait_for_end(&mut stage, &other);
    assert_eq!(other.text(1), "still there");
}

/// A scope that ends takes the pipes of its children with it, also those that are not open yet.
pub fn r090_children_end_with_their_scope(harness: &Harness) {
    let mut stage = Stage::new(harness);
    for is_early in [true, false] {
        let scope = Scope::new(&stage.handle(), "children");
        let tale = Tale::default();
        let started = scope.spawn_process(&shell("cat; exit 6"), tale.clone());
        if is_early {
            scope.end(Grace::new(Duration::ZERO));
        }
        stage.wait_for(started).expect("it can be started");
        if !is_early {
            let ended = scope.end(Grace::new(Duration::ZERO));
            stage
                .wait_for(ended)
                .expect("everything in it can be ended");
        }
        assert_eq!(wait_for_end(&mut stage, &tale), "ended: exit status 6");
    }
}

/// Rule 108: a child's standard input and output are an endpoint, for clients and, once, for servers.
pub fn r108_a_child_is_an_endpoint(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (script, bulk) = (Script::new(), stage.bulk());
    let diary = script.diary();
    let connected = stage.connect_protocol("process:/bin/cat", script);
    let transport = stage.wait_for(connected).expect("there is cat");
    assert!(matches!(transport.peer(), Address::Process(_)));
    transport.write(&bulk);
    transport.lose_write_connection();
    stage.wait("the end", || diary.end().is_some());
    assert_eq!(
        (diary.end(), diary.received()),
        (Some(End::Done), bulk.len())
    );

    let failing = stage.connect_protocol("process:/nowhere/at-all", Script::new());
    let failure = stage
        .wait_for(failing)
        .expect_err("there is no such program");
    let text = failure.to_string();
    assert!(text.contains("process:/nowhere/at-all"), "{text}");

    let script = Script::new();
    let diary = script.diary();
    let mut only = Some(script);
    let port = stage
        .try_listen("process:/bin/echo:one:two", move || {
            only.take().expect("there is one connection")
        })
        .expect("there is echo");
    stage.wait("the words", || diary.end().is_some());
    assert_eq!(diary.received(), "one two\n".len());
    assert!(!port.is_listening(), "there is no other connection");
}
