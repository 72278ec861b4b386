//! What the attribute makes of a function, seen by a stand-in for the testing crate that only writes down its calls.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The two calls and the one type that the expansion names, and nothing else.
mod recorder {
    use super::*;

    /// What a test was called with.
    #[derive(Clone, Debug, PartialEq)]
    pub(crate) struct TestCase {
        pub(crate) name: &'static str,
        pub(crate) seed: u64,
        pub(crate) seeds: u64,
    }

    impl TestCase {
        pub(crate) fn new(name: &'static str) -> Self {
            Self {
                name,
                seed: 0,
                seeds: 1,
            }
        }

        pub(crate) fn seed(self, seed: u64) -> Self {
            Self { seed, ..self }
        }

        pub(crate) fn seeds(self, seeds: u64) -> Self {
            Self { seeds, ..self }
        }
    }

    pub(crate) struct World(pub(crate) u64);
    pub(crate) struct Handle(pub(crate) u64);

    pub(crate) trait Outcome {
        fn check(self);
    }

    impl Outcome for () {
        fn check(self) {}
    }

    impl<E: std::fmt::Debug> Outcome for Result<(), E> {
        fn check(self) {
            self.unwrap();
        }
    }

    thread_local! {
        pub(crate) static CALLS: RefCell<Vec<TestCase>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn run_test<R: Outcome>(case: TestCase, body: impl Fn(&mut World) -> R) {
        for seed in case.seed..case.seed + case.seeds {
            body(&mut World(seed)).check();
        }
        CALLS.with_borrow_mut(|calls| calls.push(case));
    }

    pub(crate) fn run_async_test<F: Future>(case: TestCase, body: impl Fn(Handle) -> F)
    where
        F::Output: Outcome,
    {
        let future = pin!(body(Handle(case.seed)));
        let Poll::Ready(outcome) = future.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("these tests wait for nothing");
        };
        outcome.check();
        CALLS.with_borrow_mut(|calls| calls.push(case));
    }
}

use recorder::{CALLS, Handle, TestCase, World};

thread_local! {
    static SEEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn see(seed: u64) {
    SEEN.with_borrow_mut(|seen| seen.push(seed));
}

/// Runs a test that the attribute made and returns how it was called and which seeds its body saw.
fn run(test: fn()) -> (TestCase, Vec<u64>) {
    let (calls, seen) = (CALLS.take(), SEEN.take());
    test();
    let mut case = CALLS.take();
    let result = (case.remove(0), SEEN.take());
    CALLS.set(calls);
    SEEN.set(seen);
    result
}

#[ropewalk_macros::test(crate = crate::recorder)]
fn plain(world: &mut World) {
    see(world.0);
}

#[ropewalk_macros::test(crate = crate::recorder, seed = 0x1_0u64, seeds = 3,)]
pub(crate) fn seeded(World(seed): &mut World) -> Result<(), std::fmt::Error> {
    see(*seed);
    Ok(())
}

#[ropewalk_macros::test(seed = 7, crate = crate::recorder)]
async fn asynchronous(mut reactor: Handle) -> Result<(), String> {
    reactor.0 += 1;
    see(reactor.0);
    Ok(())
}

/// A comment stays, and so do the other attributes.
#[ropewalk_macros::test(crate = crate::recorder)]
#[should_panic(expected = "seed 0 fails")]
fn panicking(world: &mut World) {
    panic!("seed {} fails", world.0);
}

#[ropewalk_macros::test(crate = crate::recorder)]
#[should_panic(expected = "wrong")]
async fn failing(_: Handle) -> Result<(), &'static str> {
    Err("wrong")
}

#[ropewalk_macros::test(crate = crate::recorder)]
#[ignore = "it would fail, so it must not run"]
fn ignored(_: &mut World) {
    panic!("an ignored test ran");
}

mod inner {
    use super::*;

    #[ropewalk_macros::test(crate = super::recorder)]
    pub(crate) fn r#match(world: &mut World) {
        see(world.0);
    }
}

macro_rules! stamp {
    ($visibility:vis $name:ident, $world:ty, $body:block) => {
        #[ropewalk_macros::test(crate = crate::recorder)]
        $visibility fn $name(_: $world) $body
    };
}

stamp!(pub(crate) stamped, &mut World, { see(99) });

#[test]
fn a_test_tells_its_full_name_and_the_defaults() {
    let (case, seen) = run(plain);
    assert_eq!(case, TestCase::new("expansion::plain"));
    assert_eq!(seen, [0]);
    assert_eq!(
        run(inner::r#match).0,
        TestCase::new("expansion::inner::match")
    );
}

#[test]
fn seeds_reach_the_testing_crate() {
    let (case, seen) = run(seeded);
    assert_eq!((case.seed, case.seeds), (16, 3));
    assert_eq!(seen, [16, 17, 18]);
}

#[test]
fn an_async_function_gets_a_reactor() {
    let (case, seen) = run(asynchronous);
    assert_eq!(case.name, "expansion::asynchronous");
    assert_eq!(seen, [8]);
}

#[test]
fn a_macro_can_stamp_tests() {
    assert_eq!(run(stamped).1, [99]);
}
