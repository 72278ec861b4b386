//! GETs over a pool of connections to a tiny server: ours beside hyper-util's client. In-process, CPU time of the client's thread; the
//! server answers from a thread on the other core.
#![allow(unsafe_code, reason = "the server's thread leaves the client's core")]

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ropewalk::web::{Agent, AgentLimits, Url};

use crate::Outcome;
use crate::bench::Bench;
use crate::cpu::ThreadWatch;
use crate::process::{self, GENERATOR_CORE};
use crate::record::Record;
use crate::server::Peer;
use crate::socket::{self, Epoll, READABLE};
use crate::table::{Table, cell};

/// Requests under way at any time, each on a connection of its own.
const AT_ONCE: usize = 64;
const WARM_UP: usize = 20_000;
const REQUESTS: usize = 200_000;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
const BODY: &[u8] = b"Hello, world!";

/// Compares the clients, each in processes of its own.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let clients = bench.engines();
    let results = bench.compare_runs(&clients, |peer| process::compute("http-client", peer))?;
    let title = format!("http-client: GETs of 13 bytes over {AT_ONCE} connections that are kept");
    let columns = ["client", "total ÷ hyper-util", "(µs per request)", "runs"];
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    let base = results
        .place(&Peer::Tokio)
        .ok_or("nothing to divide by: tokio is left out")?;
    let number = |record: &Record| record.get("request");
    for (index, peer) in results.peers().enumerate() {
        let name = match peer {
            Peer::Tokio => "hyper-util",
            other => other.name(),
        };
        table.row(vec![
            name.to_owned(),
            cell(results.ratio(index, number, base, number), 3),
            cell(results.median(index, number), 2),
            results.remarks(index, number),
        ]);
    }
    print!("{table}");
    Ok(())
}

/// Measures one client in this process.
pub(crate) fn compute(peer: &Peer) -> Outcome<Record> {
    let port = serve()?;
    match peer {
        Peer::Tokio => measure(&mut Hyper::new(port)?),
        Peer::Ropewalk => measure(&mut Ours::new(port)?),
        other => Err(format!("{} has no client to measure", other.name()).into()),
    }
}

/// A client that makes so many requests, [`AT_ONCE`] at a time.
trait Visitor {
    fn visit(&mut self, requests: usize) -> Outcome<()>;
}

fn measure(visitor: &mut impl Visitor) -> Outcome<Record> {
    visitor.visit(WARM_UP)?;
    let mut watch = ThreadWatch::start();
    visitor.visit(REQUESTS)?;
    let mut record = Record::default();
    record.set("request", watch.lap_ns() / REQUESTS as f64 / 1000.0);
    Ok(record)
}

struct Ours {
    reactor: ropewalk::Reactor,
    agent: Agent,
    url: Url,
}

impl Ours {
    fn new(port: u16) -> Outcome<Self> {
        let reactor = ropewalk::reactor()?;
        let mut limits = AgentLimits::default();
        (limits.connections_per_host, limits.idle_per_host) = (AT_ONCE, AT_ONCE);
        let agent = Agent::new(&reactor.handle()).with_limits(limits);
        let url = Url::parse(&format!("http://127.0.0.1:{port}/"))?;
        Ok(Self {
            reactor,
            agent,
            url,
        })
    }
}

impl Visitor for Ours {
    fn visit(&mut self, requests: usize) -> Outcome<()> {
        let done = Rc::new(Cell::new(0));
        for _ in 0..AT_ONCE {
            let (agent, url, done) = (self.agent.clone(), self.url.clone(), Rc::clone(&done));
            drop(self.reactor.spawn(async move {
                for _ in 0..requests / AT_ONCE {
                    let response = agent.get(&url).await?;
                    assert_eq!(response.bytes().await?, BODY);
                }
                done.set(done.get() + 1);
                Ok::<_, ropewalk::Failure>(())
            }));
        }
        while done.get() < AT_ONCE {
            self.reactor.turn(Some(Duration::from_secs(1)))?;
        }
        Ok(())
    }
}

struct Hyper {
    runtime: tokio::runtime::Runtime,
    client: Client<HttpConnector, Empty<Bytes>>,
    uri: Uri,
}

impl Hyper {
    fn new(port: u16) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://127.0.0.1:{port}/").parse()?;
        Ok(Self {
            runtime,
            client,
            uri,
        })
    }
}

impl Visitor for Hyper {
    fn visit(&mut self, requests: usize) -> Outcome<()> {
        self.runtime.block_on(async {
            let visits: Vec<_> = (0..AT_ONCE)
                .map(|_| {
                    let (client, uri) = (self.client.clone(), self.uri.clone());
                    tokio::spawn(async move {
                        for _ in 0..requests / AT_ONCE {
                            let response = client.get(uri.clone()).await.expect("an answer");
                            let body = response.into_body().collect().await.expect("a body");
                            assert_eq!(body.to_bytes(), BODY);
                        }
                    })
                })
                .collect();
            for visit in visits {
                visit.await?;
            }
            Ok(())
        })
    }
}

/// A server that answers whatever it hears, on a thread of its own; gives its port.
fn serve() -> Outcome<u16> {
    let (listener, port) = socket::listener()?;
    listener.set_nonblocking(true)?;
    thread::spawn(move || {
        leave_core();
        answer(&listener).expect("the server answers");
    });
    Ok(port)
}

fn answer(listener: &std::net::TcpListener) -> std::io::Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(listener.as_raw_fd(), u64::MAX, READABLE)?;
    let mut connections = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        for event in 0..epoll.wait(-1)? {
            let (token, _) = epoll.event(event);
            if token == u64::MAX {
                while let Some(connection) = socket::accept(listener.as_raw_fd())? {
                    let fd = connection.as_raw_fd();
                    epoll.add(fd, fd as u64, READABLE)?;
                    connections.push(connection);
                }
            } else if socket::recv(token as i32, &mut buffer)?.is_some_and(|length| length > 0) {
                socket::send(token as i32, ANSWER)?;
            } else {
                connections.retain(|connection| connection.as_raw_fd() as u64 != token);
            }
        }
    }
}

/// On a machine with one core this fails and the numbers mean less; it still runs.
fn leave_core() {
    // SAFETY: the set is valid for the calls, which read and write nothing else.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(GENERATOR_CORE, &mut cores);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cores);
    }
}
