//! Running a program for what it writes, or for its exit status.

use std::cell::RefCell;
use std::rc::Rc;

use super::{ExitStatus, OutputTooLong, ProcessProtocol, ProcessTransport, Spawn};
use crate::deferred::{Deferred, Resolver};
use crate::handle::Handle;

/// What a program wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended; other than 0 is no failure of [`Handle::process_output`].
    pub status: ExitStatus,
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub err: Vec<u8>,
}

/// What [`Handle::process_output_with`] gives a program, and how much it takes from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputOptions {
    /// What it reads from its standard input, before the end.
    pub stdin: Vec<u8>,
    /// How many bytes it may write, standard error included; beyond that it is killed and the Deferred fails. By default
    /// 16 MiB. Stops whoever can choose its input or arguments from filling our memory.
    pub limit_bytes: usize,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self {
            stdin: Vec::new(),
            limit_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Handle {
    /// Runs a program that reads nothing, and gives all that it wrote once it has ended. Cancelled, it is killed.
    ///
    /// It fails if the program cannot be started ([`SpawnError`](super::SpawnError)) or writes too much ([`OutputTooLong`]).
    #[doc(alias = "getProcessOutput")]
    #[doc(alias = "getProcessOutputAndValue")]
    #[track_caller]
    pub fn process_output(&self, spawn: &Spawn) -> Deferred<Output> {
        self.process_output_with(spawn, OutputOptions::default())
    }

    /// [`process_output`](Self::process_output) of a program that reads something.
    #[track_caller]
    pub fn process_output_with(&self, spawn: &Spawn, options: OutputOptions) -> Deferred<Output> {
        let collector = Collector {
            out: Vec::new(),
            err: Vec::new(),
            options,
        };
        self.collect(spawn, collector, |output| output)
    }

    /// Runs a program, throws away what it writes, and gives how it ended. Cancelled, it is killed.
    #[doc(alias = "getProcessValue")]
    #[track_caller]
    pub fn process_value(&self, spawn: &Spawn) -> Deferred<ExitStatus> {
        let quiet = spawn.clone().null(0).null(1).null(2);
        let collector = Collector {
            out: Vec::new(),
            err: Vec::new(),
            options: OutputOptions::default(),
        };
        self.collect(&quiet, collector, |output| output.status)
    }

    #[track_caller]
    fn collect<T: 'static>(
        &self,
        spawn: &Spawn,
        collector: Collector,
        give: impl FnOnce(Output) -> T + 'static,
    ) -> Deferred<T> {
        let running: Rc<RefCell<Running>> = Rc::default();
        let cancelled = Rc::clone(&running);
        let (deferred, resolver) = Deferred::with_canceller(self, move |_| {
            let before = cancelled.replace(Running::Cancelled);
            if let Running::Yes(transport) = before {
                abandon(&transport);
            }
        });
        let resolver = Rc::new(resolver);
        let protocol = Collecting {
            collector,
            running,
            resolver: Rc::clone(&resolver),
            give: Some(give),
        };
        self.spawn_process(spawn, protocol)
            .on_result(move |started| {
                if let Err(failure) = started {
                    let _cancelled = resolver.resolve_with(Err(failure));
                }
            });
        deferred
    }
}

#[derive(Default)]
enum Running {
    #[default]
    NotYet,
    Yes(ProcessTransport),
    Cancelled,
}

struct Collector {
    out: Vec<u8>,
    err: Vec<u8>,
    options: OutputOptions,
}

struct Collecting<T: 'static, F> {
    collector: Collector,
    running: Rc<RefCell<Running>>,
    resolver: Rc<Resolver<T>>,
    give: Option<F>,
}

/// Nobody waits for it any more.
fn abandon(transport: &ProcessTransport) {
    transport.kill();
    transport.lose_connection();
}

impl<T: 'static, F: FnOnce(Output) -> T + 'static> Collecting<T, F> {
    fn check_limit(&self, transport: &ProcessTransport) {
        let collector = &self.collector;
        let limit_bytes = collector.options.limit_bytes;
        if collector.out.len() + collector.err.len() > limit_bytes {
            let _once = self.resolver.fail(OutputTooLong { limit_bytes });
            abandon(transport);
        }
    }
}

impl<T: 'static, F: FnOnce(Output) -> T + 'static> ProcessProtocol for Collecting<T, F> {
    fn process_started(&mut self, transport: &ProcessTransport) {
        if matches!(*self.running.borrow(), Running::Cancelled) {
            return abandon(transport);
        }
        *self.running.borrow_mut() = Running::Yes(transport.clone());
        if let Some(stdin) = transport.pipe(0) {
            stdin.write_owned(std::mem::take(&mut self.collector.options.stdin));
            stdin.lose_connection();
        }
    }

    fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        self.collector.out.extend_from_slice(data);
        self.check_limit(transport);
    }

    fn err_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        self.collector.err.extend_from_slice(data);
        self.check_limit(transport);
    }

    fn process_ended(&mut self, _transport: &ProcessTransport, status: ExitStatus) {
        *self.running.borrow_mut() = Running::NotYet;
        if self.resolver.is_fired() {
            return;
        }
        let output = Output {
            status,
            out: std::mem::take(&mut self.collector.out),
            err: std::mem::take(&mut self.collector.err),
        };
        if let Some(give) = self.give.take() {
            let _cancelled = self.resolver.resolve(give(output));
        }
    }
}
