//! Rules 93 to 101 and 107 on a reactor without a driver.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::*;
use crate::failure::{AlreadyCalled, Cancelled, Panicked, ResolverDropped};
use crate::task::world::World;

/// Far more than fit on a test's stack of 2 MiB, if each took a frame.
const MANY: usize = 200_000;

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<&'static str>>>);

impl Log {
    fn add(&self, entry: &'static str) {
        self.0.borrow_mut().push(entry);
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

#[test]
fn r093_results_pass_and_change_sides() {
    let world = World::new();
    let (deferred, resolver) = Deferred::new(&world);
    let log = Log::default();
    let (first, skipped, errback, last) = (log.clone(), log.clone(), log.clone(), log.clone());
    let deferred = deferred
        .add_callback(move |number: u32| {
            first.add("callback");
            assert_eq!(number, 1);
            Err::<u32, _>(Failure::message("no"))
        })
        .add_callback(move |number| {
            skipped.add("skipped");
            Ok(number)
        })
        .add_errback(move |failure| {
            errback.add("errback");
            assert_eq!(failure.to_string(), "no");
            Ok(5)
        })
        .add_errback(|_| Ok(6))
        .add_callback(move |number| {
            last.add("last");
            Ok(number * 2)
        });
    let watch = world.watch(deferred);
    resolver.resolve(1).unwrap();
    world.settle();
    assert_eq!(watch.value(), 10);
    assert_eq!(log.take(), ["callback", "errback", "last"]);
}

#[test]
fn r093_question_mark_and_nothing_at_all_are_results() {
    let world = World::new();
    let parsed = Deferred::succeed(&world, "x")
        .add_callback(|text| Ok(text.parse::<u8>()?))
        .add_both(|result| assert!(result.is_err()));
    let watch = world.watch(parsed);
    world.settle();
    assert_eq!(watch.value(), ());
}

#[test]
fn r093_a_panic_goes_to_the_errback_side_and_names_the_callback() {
    let world = World::new();
    let line = line!() + 1;
    let deferred = Deferred::succeed(&world, 1).add_callback(|_| -> Result<(), Failure> {
        panic!("seven of {}", 9);
    });
    let watch = world.watch(deferred);
    world.settle();
    let panicked = watch.failure().downcast::<Panicked>().unwrap();
    assert!(panicked.message.starts_with("seven of 9"));
    assert_eq!(panicked.location.line(), line);
}

#[test]
fn r094_callbacks_wait_for_the_turn_and_keep_the_order_of_firing() {
    let world = World::new();
    let log = Log::default();
    let (a, b, c) = (log.clone(), log.clone(), log.clone());
    let (first, resolve_first) = Deferred::new(&world);
    let (second, resolve_second) = Deferred::new(&world);
    second.add_callback(move |()| b.add("second"));
    let chained = log.clone();
    first
        .add_callback(move |()| a.add("first"))
        .add_callback(move |()| chained.add("first, chained"));
    resolve_first.resolve(()).unwrap();
    resolve_second.resolve(()).unwrap();
    Deferred::succeed(&world, ()).add_callback(move |()| c.add("third, added when fired"));
    assert!(
        log.take().is_empty(),
        "nothing runs inside the calls that fire and add"
    );
    world.settle();
    assert_eq!(
        log.take(),
        [
            "first",
            "first, chained",
            "second",
            "third, added when fired"
        ]
    );
}

#[test]
fn r095_second_fire_is_an_error() {
    let world = World::new();
    let (deferred, resolver) = Deferred::new(&world);
    let watch = world.watch(deferred);
    assert_eq!(resolver.resolve(1), Ok(()));
    assert_eq!(resolver.resolve(2), Err(AlreadyCalled));
    assert_eq!(resolver.fail(Cancelled), Err(AlreadyCalled));
    world.settle();
    assert_eq!(resolver.resolve(3), Err(AlreadyCalled));
    assert_eq!(watch.value(), 1);
    assert!(world.unhandled().is_empty());
}

#[test]
fn r096_a_returned_deferred_suspends_the_chain_and_gives_its_result() {
    let world = World::new();
    let (inner, resolve_inner) = Deferred::new(&world);
    let outer = Deferred::succeed(&world, ()).add_callback(move |()| inner);
    let watch = world.watch(outer);
    world.settle();
    assert!(watch.take().is_none());
    resolve_inner.resolve("inner").unwrap();
    world.settle();
    assert_eq!(watch.value(), "inner");
}

#[test]
fn r096_a_returned_deferred_that_has_its_result_or_failure_is_taken_at_once() {
    let world = World::new();
    let ready = Deferred::succeed(&world, 7);
    let watch = world.watch(Deferred::succeed(&world, ()).add_callback(move |()| ready));
    let failed = Deferred::<u8>::fail(&world, Failure::message("inner"));
    let failing = world.watch(Deferred::succeed(&world, ()).add_callback(move |()| failed));
    world.settle();
    assert_eq!(watch.value(), 7);
    assert_eq!(failing.failure().to_string(), "inner");
    assert!(
        world.unhandled().is_empty(),
        "the inner one holds nothing any more"
    );
}

#[test]
fn r097_a_chain_of_a_million_callbacks_runs_without_recursion_and_in_bounded_turns() {
    let world = World::new();
    let (mut deferred, resolver) = Deferred::new(&world);
    for _ in 0..1_000_000 {
        deferred = deferred.add_callback(|n: u32| Ok(n + 1));
    }
    let watch = world.watch(deferred);
    resolver.resolve(0).unwrap();
    assert!(world.turn(), "one turn is not enough: sockets come between");
    assert!(watch.take().is_none());
    world.settle();
    assert_eq!(watch.value(), 1_000_000);
}

#[test]
fn r097_deferreds_that_wait_for_each_other_resolve_cancel_and_drop_without_recursion() {
    let world = World::new();
    let nested = || {
        let (mut deferred, resolver) = Deferred::<u32>::new(&world);
        for _ in 0..MANY {
            let inner = deferred;
            deferred = Deferred::succeed(&world, ()).add_callback(move |()| inner);
        }
        world.settle();
        (deferred, resolver)
    };
    let (deferred, resolver) = nested();
    let watch = world.watch(deferred);
    resolver.resolve(3).unwrap();
    world.settle();
    assert_eq!(watch.value(), 3);

    let (deferred, _resolver) = nested();
    let watch = world.watch(deferred.cancel());
    world.settle();
    assert!(watch.failure().is::<Cancelled>());

    let left_over = nested();
    world.tasks().close();
    drop(left_over);
}

#[test]
fn r097_resolvers_owned_by_each_others_callbacks_drop_without_recursion() {
    let world = World::new();
    let (first, first_resolver) = Deferred::<()>::new(&world);
    let mut last = first;
    for _ in 0..MANY {
        let (next, resolver) = Deferred::new(&world);
        last.add_callback(move |()| resolver.resolve(()).map_err(Failure::new));
        last = next;
    }
    world.tasks().close();
    drop(last);
    drop(first_resolver);
}

#[test]
fn r098_cancel_without_canceller_fails_and_swallows_one_firing() {
    let world = World::new();
    let (deferred, resolver) = Deferred::new(&world);
    let watch = world.watch(deferred.cancel());
    assert!(resolver.is_fired() && !resolver.is_wanted());
    assert_eq!(resolver.resolve(1), Ok(()), "whoever fires need not know");
    assert_eq!(resolver.resolve(2), Err(AlreadyCalled), "but only once");
    world.settle();
    assert!(watch.failure().is::<Cancelled>());
}

#[test]
fn r098_the_canceller_decides_on_the_turn() {
    let world = World::new();
    let asked = Rc::new(Cell::new(false));
    let note = asked.clone();
    let (deferred, resolver) = Deferred::with_canceller(&world, move |resolver| {
        note.set(true);
        resolver.resolve("rescued").unwrap();
    });
    let watch = world.watch(deferred.cancel());
    assert!(!asked.get(), "user code does not run inside a user's call");
    world.settle();
    assert!(asked.get());
    assert_eq!(watch.value(), "rescued");
    assert_eq!(resolver.resolve("late"), Err(AlreadyCalled));
}

#[test]
fn r098_a_canceller_that_does_nothing_means_cancelled() {
    let world = World::new();
    let (deferred, _resolver) = Deferred::<()>::with_canceller(&world, |_| ());
    let line = line!() + 1;
    let watch = world.watch(deferred.cancel());
    world.settle();
    let failure = watch.failure();
    assert!(failure.is::<Cancelled>());
    assert_eq!(
        failure.location().line(),
        line,
        "where cancelling was asked for"
    );
}

#[test]
fn r098_cancel_after_firing_does_nothing() {
    let world = World::new();
    let (deferred, resolver) = Deferred::with_canceller(&world, |_| panic!("not to be called"));
    let canceller = deferred.canceller();
    let watch = world.watch(deferred);
    resolver.resolve(1).unwrap();
    canceller.cancel();
    world.settle();
    canceller.cancel();
    world.settle();
    assert_eq!(watch.value(), 1);
    assert_eq!(world.tasks().unhandled_failures(), 0);
}

#[test]
fn r099_cancelling_reaches_the_inner_deferred() {
    let world = World::new();
    let (inner, _resolver) = Deferred::<u8>::with_canceller(&world, |resolver| {
        resolver
            .fail(Failure::message("the inner canceller"))
            .unwrap();
    });
    let outer = Deferred::succeed(&world, ()).add_callback(move |()| inner);
    let canceller = outer.add_callback(Ok).canceller();
    world.settle();
    canceller.cancel();
    world.settle();
    assert_eq!(
        world.unhandled(),
        ["the inner canceller"],
        "nobody looked at the end of the chain"
    );
}

#[test]
fn r099_cancelling_between_firing_and_callback_reaches_what_the_callback_waits_for() {
    let world = World::new();
    let (inner, _resolver) = Deferred::<u8>::new(&world);
    let (first, resolver) = Deferred::new(&world);
    let chain = first.add_callback(move |()| inner);
    resolver.resolve(()).unwrap();
    let watch = world.watch(chain.cancel());
    world.settle();
    assert!(watch.failure().is::<Cancelled>());
}

#[test]
fn r100_an_unhandled_failure_is_reported_once_with_both_places() {
    let world = World::new();
    let made = line!() + 1;
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    let arose = line!() + 1;
    resolver.fail(Failure::message("lost")).unwrap();
    world.settle();
    assert_eq!(
        world.tasks().unhandled_failures(),
        0,
        "somebody may still look"
    );
    drop(deferred.add_callback(Ok));
    world.settle();
    let reported = world.tasks().take_unhandled();
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].made.line(), made);
    assert_eq!(reported[0].failure.location().line(), arose);
    assert_eq!(world.tasks().unhandled_failures(), 1, "counted for ever");
}

#[test]
fn r100_failures_are_reported_whichever_end_goes_first() {
    let world = World::new();
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    drop(deferred);
    resolver.fail(Failure::message("fired last")).unwrap();
    drop(Deferred::<u8>::fail(
        &world,
        Failure::message("dropped last"),
    ));
    assert_eq!(world.unhandled(), ["fired last", "dropped last"]);
}

#[test]
fn r100_handled_passed_on_and_cancelled_failures_are_not_reported() {
    let world = World::new();
    let failed = || Deferred::<u8>::fail(&world, Failure::message("looked at"));
    drop(failed().add_errback(|_| Ok(0)));
    failed().on_result(drop);
    let inner = failed();
    drop(
        Deferred::succeed(&world, ())
            .add_callback(move |()| inner)
            .add_errback(|_| Ok(0)),
    );
    let (deferred, _resolver) = Deferred::<u8>::new(&world);
    drop(deferred.add_callback(Ok).cancel());
    world.settle();
    assert!(world.unhandled().is_empty());
}

#[test]
fn a_dropped_resolver_fails_its_deferred() {
    let world = World::new();
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    let watch = world.watch(deferred);
    drop(resolver);
    world.settle();
    assert!(watch.failure().is::<ResolverDropped>());
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    drop(deferred);
    drop(resolver);
    assert!(
        world.unhandled().is_empty(),
        "nobody waited, nothing was lost"
    );
}

#[test]
fn one_deferred_passes_its_result_to_the_resolver_of_another() {
    let world = World::new();
    let (other, resolver) = Deferred::new(&world);
    Deferred::succeed(&world, 4).resolve_into(resolver);
    let watch = world.watch(other);
    world.settle();
    assert_eq!(watch.value(), 4);
}

#[test]
fn r107_awaiting_gives_the_value_and_raises_the_failure() {
    let world = World::new();
    let (good, resolver) = Deferred::new(&world);
    let bad = Deferred::<u8>::fail(&world, Failure::message("bad"));
    let task = world.handle.tasks().spawn(async move {
        let number: u8 = good.await?;
        assert_eq!(number, 1);
        bad.await?;
        Ok(())
    });
    let watch = world.watch(task);
    world.settle();
    resolver.resolve(1).unwrap();
    world.settle();
    assert_eq!(watch.failure().to_string(), "bad");
}

#[test]
fn r107_cancelling_a_task_cancels_what_it_awaits_and_may_be_caught() {
    let world = World::new();
    let (never, _resolver) = Deferred::<u8>::new(&world);
    let task = world.tasks().spawn(async move {
        match never.await {
            Err(failure) if failure.is::<Cancelled>() => Ok("caught"),
            other => other.map(|_| "not cancelled"),
        }
    });
    world.settle();
    let watch = world.watch(task.cancel());
    world.settle();
    assert_eq!(watch.value(), "caught");
}

#[test]
fn r107_a_cancelled_task_that_does_not_catch_fails_with_cancelled() {
    let world = World::new();
    let (never, _resolver) = Deferred::<u8>::new(&world);
    let inner = world.tasks().spawn(never);
    let outer = world.tasks().spawn(async move { Ok(inner.await? + 1) });
    world.settle();
    let watch = world.watch(outer.cancel());
    world.settle();
    assert!(
        watch.failure().is::<Cancelled>(),
        "through a task that awaits a task"
    );
    assert!(world.tasks().live().is_empty());
}

#[test]
fn r107_a_task_that_awaits_nothing_of_ours_is_dropped_when_cancelled() {
    let world = World::new();
    let witness = Rc::new(());
    let held = witness.clone();
    let foreign = world.tasks().spawn(async move {
        std::future::pending::<()>().await;
        drop(held);
    });
    let never_polled = world
        .tasks()
        .spawn(async { unreachable!("cancelled before its first turn") });
    let never_polled = world.watch(never_polled.cancel());
    world.settle();
    let watch = world.watch(foreign.cancel());
    assert_eq!(
        Rc::strong_count(&witness),
        2,
        "destructors run on the turn, too"
    );
    world.settle();
    assert_eq!(Rc::strong_count(&witness), 1);
    assert!(watch.failure().is::<Cancelled>());
    assert!(never_polled.failure().is::<Cancelled>());
}

#[test]
fn r107_a_task_woken_but_not_yet_polled_is_cancelled_at_its_next_await() {
    let world = World::new();
    let (first, resolver) = Deferred::new(&world);
    let (second, _resolver) = Deferred::<u8>::new(&world);
    let task = world.tasks().spawn(async move {
        first.await?;
        Ok(second.await.is_err_and(|failure| failure.is::<Cancelled>()))
    });
    world.settle();
    resolver.resolve(()).unwrap();
    let watch = world.watch(task.cancel());
    world.settle();
    assert!(
        watch.value(),
        "the first result was not lost, the second await was told"
    );
}

#[test]
fn r107_all_that_a_task_awaits_at_once_is_cancelled() {
    let world = World::new();
    let (left, _left) = Deferred::<u8>::new(&world);
    let (right, _right) = Deferred::<u8>::new(&world);
    let left = Rc::new(RefCell::new(left));
    let right = Rc::new(RefCell::new(right));
    let both = (left.clone(), right.clone());
    let task = world.tasks().spawn(std::future::poll_fn(move |context| {
        let left = Pin::new(&mut *both.0.borrow_mut()).poll(context).is_ready();
        let right = Pin::new(&mut *both.1.borrow_mut()).poll(context).is_ready();
        if left && right {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    world.turn();
    let _watch = world.watch(task.cancel());
    assert!(left.borrow().is_fired() && right.borrow().is_fired());
}

#[test]
fn p2_giving_up_and_awaiting_again_loses_nothing() {
    let world = World::new();
    let (mut deferred, resolver) = Deferred::new(&world);
    let task = world.tasks().spawn(async move {
        let waited = std::future::poll_fn(|context| {
            let pending = Pin::new(&mut deferred).poll(context).is_pending();
            Poll::Ready(pending)
        });
        assert!(waited.await);
        (&mut deferred).await
    });
    let watch = world.watch(task);
    world.settle();
    resolver.resolve("kept").unwrap();
    world.settle();
    assert_eq!(watch.value(), "kept");
}
