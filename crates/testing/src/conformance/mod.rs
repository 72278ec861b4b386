//! One suite of behaviours, stamped on every driver.
//!
//! A rule is a function; [`conformance!`](crate::conformance!) makes a test of each. All run a server and a client on one
//! reactor over the loopback; time is the driver's, nothing sleeps, and what does not come in time fails. Between reactor
//! and driver a supervisor checks that each keeps the contract of [`Driver`].
//!
//! ```text
//!   conformance!(mio, …)  ─┐
//!   conformance!(sim, …)  ─┼─► harness ─► rule ─► Stage: Reactor ─► Supervisor ─► driver
//!   conformance!(yours, …)─┘
//! ```
//!
//! Rules are numbered as in the book of semantics: `r051_…` is rule 51.

use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::Factory;
use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::Driver;

use crate::journal::{Journal, take_errors};
use crate::test_case::TestCase;

pub mod connections;
pub mod datagrams;
mod ear;
pub mod files;
pub mod half_close;
pub mod life_cycle;
pub mod multicast;
mod port_contract;
pub mod ports;
pub mod processes;
pub mod producers;
pub mod reactors;
mod script;
pub mod shutdown;
mod stage;
mod stamp;
pub mod streams;
mod supervisor;
pub mod threads;
pub mod time;
pub mod unix;
mod witness;

pub use script::{Diary, End, Script, Told};
pub use stage::Stage;
pub use witness::{Log, Witness};

/// What is put around the factory of one end.
pub(crate) type Wrap = Rc<dyn Fn(Box<dyn Factory>) -> Box<dyn Factory>>;

/// One way to run the suite: which driver, and how.
///
/// ```
/// use ropewalk_sim::{Mood, SimDriver};
/// use ropewalk_testing::conformance::{Harness, run, streams};
///
/// let harness = Harness::new(|round| SimDriver::alone(round).with_mood(Mood::Completion)).rounds(3);
/// run(&harness, streams::r051_lose_connection_sends_everything_first);
/// ```
pub struct Harness {
    make: Box<dyn Fn(u64) -> Box<dyn Driver>>,
    rounds: u64,
    round: Cell<u64>,
    pub(crate) loopback: IpAddr,
    pub(crate) is_unix: bool,
    /// What is around servers, and what around clients.
    pub(crate) wraps: (Wrap, Wrap),
    pub(crate) bulk_bytes: usize,
    pub(crate) patience: Duration,
}

impl Harness {
    /// On drivers that this makes; it is given the number of the round, for a seed.
    #[must_use]
    pub fn new<D: Driver + 'static>(make: impl Fn(u64) -> D + 'static) -> Self {
        Self {
            make: Box::new(move |round| Box::new(make(round))),
            rounds: 1,
            round: Cell::new(0),
            loopback: Ipv4Addr::LOCALHOST.into(),
            is_unix: false,
            wraps: (Rc::new(|factory| factory), Rc::new(|factory| factory)),
            bulk_bytes: 3_000_000,
            patience: Duration::from_secs(20),
        }
    }

    /// Each rule so many times: by default once.
    #[must_use]
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Over layers: with these around the factories of servers and of clients.
    #[must_use]
    pub fn over(
        mut self,
        server: impl Fn(Box<dyn Factory>) -> Box<dyn Factory> + 'static,
        client: impl Fn(Box<dyn Factory>) -> Box<dyn Factory> + 'static,
    ) -> Self {
        self.wraps = (Rc::new(server), Rc::new(client));
        self
    }

    /// At this address: by default 127.0.0.1.
    #[must_use]
    pub fn loopback(mut self, loopback: impl Into<IpAddr>) -> Self {
        self.loopback = loopback.into();
        self
    }

    /// Over UNIX sockets, each at a path of its own in the directory for temporary files.
    #[must_use]
    pub fn over_unix(mut self) -> Self {
        self.is_unix = true;
        self
    }

    /// How much is much: more than all buffers of a connection hold. By default 3 MB.
    #[must_use]
    pub fn bulk_bytes(mut self, bytes: usize) -> Self {
        self.bulk_bytes = bytes;
        self
    }

    /// What does not happen within this time, by the driver's clock, does not happen: by default 20 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Whether this is not the first round: for rules that are dear and the same in every round.
    pub(crate) fn is_repetition(&self) -> bool {
        self.round.get() > 0
    }

    /// Fails unless the connection ended as one whose peer aborted it. A UNIX socket tells of that only if bytes were unread.
    #[track_caller]
    pub(crate) fn assert_aborted_by_peer(&self, diary: &Diary) {
        let end = diary.end();
        let told = end == Some(End::Lost) || self.is_unix && end == Some(End::Done);
        assert!(told, "{diary:?}");
    }

    pub(crate) fn driver(&self) -> Box<dyn Driver> {
        (self.make)(self.round.get())
    }
}

/// Where to listen, at each call another free place.
pub(crate) fn place(loopback: IpAddr, is_unix: bool) -> Address {
    match is_unix {
        true => Address::Unix(UnixAddress::path(fresh_path())),
        false => Address::Tcp(SocketAddr::new(loopback, 0)),
    }
}

/// A path where nothing is, short enough for a socket.
pub(crate) fn fresh_path() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(format!("ropewalk-{process}-{count}"))
}

impl fmt::Debug for Harness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness")
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

/// Tries one rule, in each round.
///
/// Where there are several rounds, `ROPEWALK_SEED` and `ROPEWALK_SEEDS` choose others, as for
/// [`TestCase`].
///
/// # Panics
///
/// If the rule does not hold, or something was logged as an error that the rule does not expect.
pub fn run(harness: &Harness, rule: impl Fn(&Harness)) {
    let all = TestCase::new("conformance").seeds(harness.rounds);
    let rounds = if harness.rounds > 1 {
        all.seeds_to_run()
    } else {
        0..1
    };
    for round in rounds {
        harness.round.set(round);
        let journal = Journal::default();
        let outcome = journal.keep(|| {
            catch_unwind(AssertUnwindSafe(|| {
                rule(harness);
                let errors = take_errors();
                assert!(
                    errors.is_empty(),
                    "errors were logged:\n    {}",
                    errors.join("\n    ")
                );
            }))
        });
        if let Err(panic) = outcome {
            let log = journal.latest().join("\n    ");
            eprintln!("in round {round} (ROPEWALK_SEED={round}); its log:\n    {log}");
            resume_unwind(panic);
        }
    }
}
