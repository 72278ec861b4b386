//! Coming from Twisted.
//!
//! The model is yours: reactor, protocol, factory, transport, Deferred, endpoint, service. Search the documentation for the
//! Twisted name (`callLater`, `dataReceived`): every item that has one carries it as an alias.
//!
//! | Twisted | Ropewalk |
//! | --- | --- |
//! | `from twisted.internet import reactor` | `let mut reactor = ropewalk::reactor()?`: a value, as many as you like |
//! | `reactor.listenTCP(8000, factory)` | `reactor.listen("tcp:8000", factory)?` |
//! | `reactor.connectTCP(host, port, factory)` | `reactor.connect("tcp:host:port", factory)?` |
//! | `serverFromString`, `clientFromString`, `quoteStringArgument` | every call that takes an endpoint takes the string; [its types](crate::manual::endpoints), [`endpoint::quote`](crate::endpoint::quote) |
//! | `haproxy:tcp:80`, `ssl:443:…` | `proxy:from=10.0.0.0/8:tcp:80`, `tls:443:…` |
//! | `connectProtocol(endpoint, protocol)` | `reactor.connect_protocol("tcp:…", protocol).await?` gives the transport |
//! | `Factory.forProtocol(Echo)` | `\|\| Echo` |
//! | `self.transport.write(…)` | `transport.write(…)`: each callback is given the transport |
//! | `self.factory.clients` | state that the factory's closure captures: `Rc<RefCell<…>>` |
//! | `reactor.callLater(5, f)` | `reactor.call_later(Duration::from_secs(5), \|reactor\| …)` |
//! | `task.LoopingCall(f).start(1)` | `LoopingCall` |
//! | `d.addCallback(f).addErrback(g)` | the same words; or `.await` |
//! | `@inlineCallbacks`, `ensureDeferred` | `reactor.spawn(async move { … })` |
//! | `threads.deferToThread(f)` | `reactor.defer_to_thread(f)` |
//! | `reactor.callFromThread(f)` | `reactor.remote().call(f)`: the one handle that other threads may have |
//! | `adbapi.ConnectionPool("sqlite3", path)` | `enterprise::ConnectionPool::new(&reactor, Sqlite::new(path))`, feature `enterprise` |
//! | `reactor.spawnProcess(protocol, exe, args, env, path, uid, gid, childFDs={3: "r"})` | `reactor.spawn_process(&Spawn::new(exe).args(…).read_from(3), protocol)`; our environment is inherited unless `clear_env()` |
//! | `getProcessOutput`, `getProcessValue` | `reactor.process_output(&spawn)`, bounded; `reactor.process_value(&spawn)` |
//! | `ProcessMonitor`, `twist procmon` | [`ProcessMonitor`](crate::process::ProcessMonitor), `ropewalk procmon` |
//! | `task.react(main)` | `ropewalk::react(main)` |
//! | `service.Application`, `MultiService`, `strports` | [`services`](super::services), with a table of its own |
//! | `proto_helpers.StringTransport`, `task.Clock` | `ropewalk::testing` |
//!
//! # What differs, on purpose
//!
//! - **Callbacks never run inside your call.** `resolve`, `add_callback`, `write`, `lose_connection` only queue; what follows
//!   happens on the reactor's turn, in order. There is no re-entrancy to think of.
//! - **A reactor is a value.** Many may live in one process, one per thread or one after another; each is run once.
//! - **`lose_connection` means no more writes**, on every transport: what is written after it is dropped.
//! - **A peer that half-closes** gets what was queued before the connection ends; override `eof_received` to stay.
//! - **`connection_made` comes after every layer is open**: with TLS, after the handshake. A failed handshake is no protocol's
//!   business.
//! - **Limits are on by default**; see [`limits`](super::limits).
//! - **Time is monotonic.** A step of the wall clock moves no timer.
//! - **A panic in a callback** ends that connection only, and is logged with where it was.
