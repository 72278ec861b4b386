//! Children: servers on core 0, generators on core 1, all of them this same binary (or a Python).
//!
//! A child dies with its parent, whatever way the parent dies; nothing is left running.
#![allow(
    unsafe_code,
    reason = "pinning a child, its priority, and tying its life to ours happen between fork and exec"
)]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::Outcome;
use crate::alloc::CounterFile;
use crate::load::PATIENCE;
use crate::record::Record;
use crate::server::{Mode, Peer};

/// The core servers run on.
pub(crate) const SERVER_CORE: usize = 0;
/// The core generators run on.
pub(crate) const GENERATOR_CORE: usize = 1;

/// Whether children run before everything else on the machine; set once, before the first child.
static REALTIME: AtomicBool = AtomicBool::new(false);

/// Children started from now on go before everything else that the machine has to do.
pub(crate) fn set_realtime(realtime: bool) {
    REALTIME.store(realtime, Ordering::Relaxed);
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    mode: Mode,
    counter: Option<CounterFile>,
    /// Where a forwarder forwards to.
    backend: Option<Box<Server>>,
}

impl Server {
    /// Starts `peer` and waits until it listens. With `count`, its allocations are counted.
    pub(crate) fn start(peer: &Peer, mode: Mode, count: bool) -> Outcome<Self> {
        Self::start_on(SERVER_CORE, peer, mode, count)
    }

    fn start_on(core: usize, peer: &Peer, mode: Mode, count: bool) -> Outcome<Self> {
        let counter = count.then(CounterFile::create).transpose()?;
        let mut command = peer.command(mode)?;
        let mut backend = None;
        if mode == Mode::Forward {
            let server = Self::start_on(GENERATOR_CORE, &Peer::Bare, Mode::Echo, false)?;
            command.args(["--backend", &server.port.to_string()]);
            backend = Some(Box::new(server));
        }
        if let Some(counter) = &counter {
            command.arg("--counter").arg(counter.path());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = pinned(&mut command, mode.stays_on_a_core().then_some(core)).spawn()?;
        match read_port(&mut child) {
            Some(port) => {
                let server = Self {
                    child,
                    port,
                    mode,
                    counter,
                    backend,
                };
                if !peer.is_built_in() {
                    server.wait_until_listening()?;
                }
                Ok(server)
            }
            None => {
                let _ = child.kill();
                let status = child.wait()?;
                Err(format!("{} did not start: {status}", peer.name()).into())
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a load generator against this server until it has told its numbers.
    pub(crate) fn load(&self, arguments: &[String]) -> Outcome<Record> {
        record_of(&mut self.generator(arguments)?, self.generator_core())
    }

    /// Some print their port before they listen.
    fn wait_until_listening(&self) -> Outcome<()> {
        let began = Instant::now();
        while let Err(error) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            if began.elapsed() > PATIENCE {
                return Err(format!("the server does not listen: {error}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn generator_core(&self) -> Option<usize> {
        self.mode.stays_on_a_core().then_some(GENERATOR_CORE)
    }

    fn generator(&self, arguments: &[String]) -> Outcome<Command> {
        let mut command = this_binary()?;
        command.arg("load").args(arguments);
        command.args([
            "--port",
            &self.port.to_string(),
            "--pid",
            &self.pid().to_string(),
        ]);
        if let Some(counter) = &self.counter {
            command.arg("--counter").arg(counter.path());
        }
        if let Some(backend) = &self.backend {
            command.args(["--helper", &backend.pid().to_string()]);
        }
        if self.mode.tells_core() {
            command.arg("--told-core");
        }
        command.args(["--over", &word(self.mode.over())]);
        Ok(command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server and a generator that is connected to it and works slice by slice.
pub(crate) struct Session {
    generator: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// After the generator: it is dropped, and so killed, last.
    server: Server,
}

impl Session {
    /// Starts both and lets them warm up. With `count`, the server's allocations are counted.
    pub(crate) fn start(
        peer: &Peer,
        mode: Mode,
        load: &[String],
        warm_up: f64,
        count: bool,
    ) -> Outcome<Self> {
        let server = Server::start(peer, mode, count)?;
        let mut command = server.generator(load)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut generator = pinned(&mut command, server.generator_core()).spawn()?;
        let input = generator.stdin.take().ok_or("no pipe")?;
        let output = BufReader::new(generator.stdout.take().ok_or("no pipe")?);
        let mut session = Self {
            generator,
            input,
            output,
            server,
        };
        session.slice(warm_up)?;
        Ok(session)
    }

    pub(crate) fn server_pid(&self) -> u32 {
        self.server.pid()
    }

    /// Works for so many seconds; what was done and used meanwhile.
    pub(crate) fn slice(&mut self, seconds: f64) -> Outcome<Record> {
        writeln!(self.input, "{seconds}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Record::parse(&line).ok_or_else(|| "the generator gave up".into())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.generator.kill();
        let _ = self.generator.wait();
    }
}

/// Runs a computation (timers, tasks) in a process of its own, on the server's core.
pub(crate) fn compute(work: &str, peer: &Peer) -> Outcome<Record> {
    let mut command = this_binary()?;
    command.args(["compute", work, peer.name()]);
    record_of(&mut command, Some(SERVER_CORE))
}

/// The command that starts this binary again.
pub(crate) fn this_binary() -> io::Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

/// A value as the command line has it.
pub(crate) fn word(value: impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn record_of(command: &mut Command, core: Option<usize>) -> Outcome<Record> {
    let output = pinned(command, core)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    match Record::parse(&text) {
        Some(record) if output.status.success() => Ok(record),
        _ => Err(format!("{command:?} failed: {}", output.status).into()),
    }
}

fn read_port(child: &mut Child) -> Option<u16> {
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    lines.find_map(|line| line.ok()?.strip_prefix("port ")?.trim().parse().ok())
}

fn pinned(command: &mut Command, core: Option<usize>) -> &mut Command {
    let realtime = REALTIME.load(Ordering::Relaxed);
    // SAFETY: between fork and exec only system calls are made; nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            let mut cores: libc::cpu_set_t = std::mem::zeroed();
            if let Some(core) = core {
                libc::CPU_SET(core, &mut cores);
                // On a machine with one core this fails and the numbers mean less; it still runs.
                libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cores);
            }
            let lowest = libc::sched_param { sched_priority: 1 };
            if realtime && libc::sched_setscheduler(0, libc::SCHED_FIFO, &lowest) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        })
    }
}
