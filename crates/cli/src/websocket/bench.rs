//! `websocket bench`: how fast an echo server is, and whether it is one.

use std::rc::Rc;
use std::time::Duration;

use ropewalk::timer::sleep;
use ropewalk::web::websocket::WebSocket;
use ropewalk::{Deferred, Exit, Failure, Handle, program};

use super::client_options::ClientOptions;
use super::load::{Load, Member};
use crate::setup::Setup;

/// Measures an echo server: many connections, each with messages on the way whose answers are compared byte by byte
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Exit status: 0 when every message came back as it was sent; 1 when anything was wrong, or nobody was there.

Examples:
  ropewalk websocket echo &
  ropewalk websocket bench ws://127.0.0.1:8080/
  ropewalk websocket bench ws://127.0.0.1:8080/ --connections 1000 --depth 16 --size 1024 --text --compress")]
pub(super) struct Bench {
    /// Where: ws://HOST:PORT/PATH, or wss:// for TLS
    #[arg(value_name = "URL")]
    url: String,
    /// How many connections
    #[arg(long, short, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    connections: u32,
    /// How many messages are on the way on each
    #[arg(long, short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    depth: u32,
    /// How long each message is, in bytes
    #[arg(long, short = 'z', value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=16_777_216))]
    size: u32,
    /// For how long
    #[arg(long, short = 't', value_name = "SECONDS", default_value = "5", value_parser = program::seconds)]
    seconds: Duration,
    /// Send texts instead of bytes
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    client: ClientOptions,
}

/// So much may be on the way in all: each connection keeps it until it is sent.
const MOST_BYTES: u64 = 1 << 30;

/// The last answers may take so long.
const PATIENCE: Duration = Duration::from_secs(5);

impl Bench {
    pub(super) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        self.client.client(&self.url)?;
        let bytes = u64::from(self.connections) * u64::from(self.depth) * u64::from(self.size);
        if bytes > MOST_BYTES {
            return Err(Failure::message(format!(
                "{bytes} bytes would be on the way, and {MOST_BYTES} may; take fewer --connections, a lower --depth or a smaller --size"
            )));
        }
        setup.run(move |handle| self.run(handle, |line| Ok(ropewalk::say(line)?)))
    }

    /// Measures, and tells what came of it.
    pub(super) async fn run(
        self,
        handle: Handle,
        mut say: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let seed = u64::from_le_bytes(handle.random_bytes());
        let (size, depth) = (self.size as usize, self.depth as usize);
        let load = Load::new(size, depth, self.text, seed);
        let (over, stop) = Deferred::new(&handle);
        handle.on_stopping(move |_| _ = stop.resolve(()));
        let sockets = self.connect(&handle, &load).await?;
        say(&self.describe(&sockets))?;
        let began = handle.now();
        sockets
            .iter()
            .for_each(|socket| socket.call_soon(Member::begin));
        let _it_is_over_or_was_stopped = over.timeout(self.seconds, &handle).await;
        let took = handle.now().saturating_sub(began);
        load.finish();
        sockets
            .iter()
            .for_each(|socket| socket.call_soon(Member::finish));
        part(&handle, sockets).await?;
        report(&load, size, took)
            .iter()
            .try_for_each(|line| say(line))?;
        match load.errors.borrow().is_empty() {
            true => Ok(()),
            false => Err(Failure::new(Exit(1))),
        }
    }

    async fn connect(&self, handle: &Handle, load: &Rc<Load>) -> Result<Vec<WebSocket>, Failure> {
        let agent = self.client.agent(handle)?;
        let client = self.client.client(&self.url)?;
        let asked = (0..self.connections).map(|number| {
            let opened = client.connect(&agent, load.member(number as usize));
            let canceller = opened.canceller();
            handle.on_stopping(move |_| canceller.cancel());
            opened
        });
        let mut sockets = Vec::new();
        for opened in asked.collect::<Vec<_>>() {
            match opened.await {
                Ok(socket) => sockets.push(socket),
                Err(failure) => load.note(failure, 1),
            }
        }
        if sockets.is_empty() {
            let errors = load.errors.borrow();
            let first = errors.keys().next().cloned().unwrap_or_default();
            return Err(Failure::message(first));
        }
        Ok(sockets)
    }

    fn describe(&self, sockets: &[WebSocket]) -> String {
        let kind = if self.text { "texts" } else { "messages" };
        let compressed = sockets
            .iter()
            .filter(|socket| socket.is_compressed())
            .count();
        let compressed = match (compressed, sockets.len()) {
            (0, _) => String::new(),
            (all, count) if all == count => ", compressed".to_owned(),
            (some, _) => format!(", {some} of them compressed"),
        };
        format!(
            "{} connections{compressed}, on each {} {kind} of {} bytes on the way, for {:?}",
            sockets.len(),
            self.depth,
            self.size,
            self.seconds
        )
    }
}

/// Waits for the last answers and the end of all connections, but not for ever.
async fn part(handle: &Handle, sockets: Vec<WebSocket>) -> Result<(), Failure> {
    let all = sockets.clone();
    let parted = handle.spawn(async move {
        for socket in &all {
            socket.closed().await;
        }
        Ok(())
    });
    if parted.timeout(PATIENCE, handle).await.is_err() {
        sockets
            .iter()
            .for_each(|socket| socket.transport().abort_connection());
        sleep(handle, Duration::ZERO).await?;
    }
    Ok(())
}

fn report(load: &Load, size: usize, took: Duration) -> Vec<String> {
    let seconds = took.as_secs_f64().max(1e-9);
    let rate = load.answered.get() as f64 / seconds;
    let latencies = load.latencies.borrow();
    let mut lines = vec![
        format!(
            "{rate:.0} messages/s, {:.1} MiB/s each way",
            rate * size as f64 / 1_048_576.0
        ),
        format!(
            "latency: p50 {}, p99 {}, max {}",
            time(latencies.percentile(50)),
            time(latencies.percentile(99)),
            time(latencies.longest())
        ),
    ];
    let errors = load.errors.borrow();
    if errors.is_empty() {
        lines.push("errors: none".to_owned());
    }
    lines.extend(
        errors
            .iter()
            .map(|(error, count)| format!("errors: {count}: {error}")),
    );
    lines
}

/// Three digits of a time.
fn time(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000_000 => format!("{:.1} µs", time.as_secs_f64() * 1e6),
        1_000_000..1_000_000_000 => format!("{:.2} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}
