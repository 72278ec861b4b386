//! Rules 101 to 106, and that what is dropped while waiting loses nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::failure::{Cancelled, ResolverDropped, TimedOut};
use crate::task::world::World;

const SECOND: Duration = Duration::from_secs(1);

fn deferreds(world: &World, count: usize) -> (Vec<Deferred<usize>>, Vec<Resolver<usize>>) {
    (0..count).map(|_| Deferred::new(world)).unzip()
}

fn no(text: &'static str) -> Failure {
    Failure::message(text)
}

#[test]
fn r101_a_timeout_cancels_and_says_timed_out() {
    let world = World::new();
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    let watch = world.watch(deferred.timeout(5 * SECOND, &world.handle));
    world.advance(4 * SECOND);
    assert!(watch.take().is_none());
    world.advance(SECOND);
    assert_eq!(
        watch.failure().downcast::<TimedOut>().unwrap(),
        TimedOut { after: 5 * SECOND }
    );
    assert_eq!(
        resolver.resolve(1),
        Ok(()),
        "whoever was too late need not know"
    );
}

#[test]
fn r101_an_early_result_removes_the_timer() {
    let world = World::new();
    let (deferred, resolver) = Deferred::new(&world);
    let watch = world.watch(deferred.timeout(5 * SECOND, &world.handle));
    assert_eq!(world.handle.timers().borrow().len(), 1);
    resolver.resolve(1).unwrap();
    assert_eq!(world.handle.timers().borrow().len(), 0);
    world.advance(9 * SECOND);
    assert_eq!(watch.value(), 1);
}

#[test]
fn r101_only_callbacks_added_before_are_covered() {
    let world = World::new();
    let (slow, _resolver) = Deferred::<u8>::new(&world);
    let (first, resolve_first) = Deferred::new(&world);
    let watch = world.watch(
        first
            .timeout(SECOND, &world.handle)
            .add_callback(move |()| slow),
    );
    resolve_first.resolve(()).unwrap();
    world.advance(9 * SECOND);
    assert!(watch.take().is_none(), "the wait added later goes on");
    let (inner, _inner) = Deferred::<u8>::new(&world);
    let covered = Deferred::succeed(&world, ()).add_callback(move |()| inner);
    let watch = world.watch(covered.timeout(SECOND, &world.handle));
    world.advance(9 * SECOND);
    assert!(watch.failure().is::<TimedOut>());
}

#[test]
fn r101_a_cancellers_own_failure_and_a_plain_cancel_stay_what_they_are() {
    let world = World::new();
    let (deferred, _resolver) = Deferred::<u8>::with_canceller(&world, |resolver| {
        resolver.fail(no("its own")).unwrap();
    });
    let own = world.watch(deferred.timeout(SECOND, &world.handle));
    let (deferred, _resolver) = Deferred::<u8>::new(&world);
    let plain = world.watch(deferred.timeout(SECOND, &world.handle).cancel());
    world.advance(SECOND);
    assert_eq!(own.failure().to_string(), "its own");
    assert!(plain.failure().is::<Cancelled>());
}

#[test]
fn r101_the_sooner_of_two_timeouts_counts() {
    let world = World::new();
    for (first, second) in [(1, 2), (2, 1)] {
        let (deferred, _resolver) = Deferred::<u8>::new(&world);
        let deferred = deferred.timeout(first * SECOND, &world.handle);
        let watch = world.watch(deferred.timeout(second * SECOND, &world.handle));
        world.advance(SECOND);
        assert_eq!(
            watch.failure().downcast::<TimedOut>().unwrap().after,
            SECOND
        );
        assert!(world.handle.timers().borrow().is_empty());
    }
}

#[test]
fn r102_all_results_in_list_order() {
    let world = World::new();
    let (members, resolvers) = deferreds(&world, 3);
    let watch = world.watch(DeferredList::new(members).results(&world));
    resolvers[2].resolve(2).unwrap();
    resolvers[0].fail(no("zero")).unwrap();
    world.settle();
    assert!(watch.take().is_none());
    resolvers[1].resolve(1).unwrap();
    world.settle();
    let results = watch.value();
    assert_eq!(results[0].as_ref().unwrap_err().to_string(), "zero");
    assert_eq!(
        (results[1].as_ref().unwrap(), results[2].as_ref().unwrap()),
        (&1, &2)
    );
    assert!(world.unhandled().is_empty());
}

#[test]
fn r102_fail_on_first_error_with_its_index_and_later_ones_logged_or_consumed() {
    for consume in [false, true] {
        let world = World::new();
        let (members, resolvers) = deferreds(&world, 3);
        let list = DeferredList::new(members).fail_on_first_error();
        let list = if consume { list.consume_errors() } else { list };
        let watch = world.watch(list.results(&world));
        resolvers[1].fail(no("one")).unwrap();
        world.settle();
        let first = watch.failure().downcast::<FirstError>().unwrap();
        assert_eq!(
            (first.index, first.failure.to_string()),
            (1, "one".to_string())
        );
        resolvers[2].fail(no("two")).unwrap();
        world.settle();
        assert_eq!(world.unhandled().len(), usize::from(!consume));
    }
}

#[test]
fn r102_fire_on_first_result_leaves_the_others_alone() {
    let world = World::new();
    let (members, resolvers) = deferreds(&world, 3);
    let watch = world.watch(DeferredList::new(members).first_result(&world));
    resolvers[0].fail(no("zero")).unwrap();
    resolvers[2].resolve(7).unwrap();
    world.settle();
    assert_eq!(watch.value(), (2, 7));
    assert!(resolvers[1].is_wanted(), "not cancelled");
}

#[test]
fn r102_an_empty_list_fires_at_once_and_has_no_first() {
    let world = World::new();
    let results = world.watch(DeferredList::<u8>::new([]).results(&world));
    let values = world.watch(gather_results::<u8>(&world, []));
    let first_of_none = world.watch(DeferredList::<u8>::new([]).first_result(&world));
    world.settle();
    assert!(results.value().is_empty());
    assert!(values.value().is_empty());
    assert!(first_of_none.failure().is::<AllFailed>());
}

#[test]
fn r102_gathered_values_or_the_first_error() {
    let world = World::new();
    let (members, resolvers) = deferreds(&world, 2);
    let watch = world.watch(gather_results(&world, members));
    resolvers[1].resolve(11).unwrap();
    resolvers[0].resolve(10).unwrap();
    world.settle();
    assert_eq!(watch.value(), [10, 11]);
    let (members, resolvers) = deferreds(&world, 2);
    let watch = world.watch(gather_results(&world, members));
    resolvers[1].fail(Cancelled).unwrap();
    world.settle();
    let failure = watch.failure();
    assert_eq!(failure.downcast_ref::<FirstError>().unwrap().index, 1);
    assert!(
        failure.find::<Cancelled>().is_some(),
        "the cause is in the chain"
    );
}

#[test]
fn r103_cancelling_a_list_cancels_every_member() {
    let world = World::new();
    let (members, resolvers) = deferreds(&world, 3);
    let watch = world.watch(DeferredList::new(members).results(&world).cancel());
    assert!(resolvers.iter().all(Resolver::is_fired));
    world.settle();
    let results = watch.value();
    assert!(
        results
            .iter()
            .all(|result| result.as_ref().unwrap_err().is::<Cancelled>())
    );

    let (members, resolvers) = deferreds(&world, 3);
    resolvers[0].resolve(0).unwrap();
    let watch = world.watch(gather_results(&world, members).cancel());
    world.settle();
    assert_eq!(watch.failure().downcast::<FirstError>().unwrap().index, 1);
    assert!(world.unhandled().is_empty());
}

#[test]
fn r104_the_first_success_wins_and_all_others_are_cancelled() {
    let world = World::new();
    let (members, resolvers) = deferreds(&world, 3);
    let watch = world.watch(first(&world, members));
    resolvers[0].fail(no("zero")).unwrap();
    world.settle();
    assert!(watch.take().is_none());
    resolvers[1].resolve(5).unwrap();
    world.settle();
    assert_eq!(watch.value(), (1, 5));
    assert!(resolvers[2].is_fired());
    assert!(world.unhandled().is_empty());
}

#[test]
fn r104_a_race_fails_only_when_all_failed() {
    let world = World::new();
    let (members, resolvers) = deferreds(&world, 2);
    let watch = world.watch(first(&world, members));
    resolvers[1].fail(no("one")).unwrap();
    resolvers[0].fail(no("zero")).unwrap();
    world.settle();
    assert_eq!(
        watch.failure().to_string(),
        "all 2 of the list failed: zero; one"
    );
    let (members, resolvers) = deferreds(&world, 2);
    let watch = world.watch(first(&world, members).cancel());
    world.settle();
    assert!(watch.failure().is::<AllFailed>());
    assert!(resolvers.iter().all(Resolver::is_fired));
}

#[test]
fn r105_a_lock_serves_in_order_and_skips_who_left() {
    let world = World::new();
    let lock = DeferredLock::new(&world);
    let held = world.watch(lock.acquire());
    let cancelled = world.watch(lock.acquire().cancel());
    drop(lock.acquire());
    assert_eq!(lock.waiting(), 0, "who leaves is not kept in mind");
    let second = world.watch(lock.acquire());
    let third = world.watch(lock.acquire());
    world.settle();
    assert!(cancelled.failure().is::<Cancelled>());
    assert!(second.take().is_none());
    held.value().release();
    world.settle();
    let token = second.value();
    assert!(third.take().is_none() && lock.is_locked());
    drop(token);
    world.settle();
    drop(third.value());
    assert!(!lock.is_locked());
}

#[test]
fn r105_a_semaphore_lets_so_many_in() {
    let world = World::new();
    let semaphore = DeferredSemaphore::new(&world, 2);
    let watches: Vec<_> = (0..3).map(|_| world.watch(semaphore.acquire())).collect();
    world.settle();
    assert_eq!((semaphore.available(), semaphore.waiting()), (0, 1));
    let first = watches[0].value();
    let _second = watches[1].value();
    drop(first);
    world.settle();
    let _third = watches[2].value();
    assert_eq!((semaphore.available(), semaphore.waiting()), (0, 0));
}

#[test]
fn r105_run_releases_after_success_failure_panic_and_cancel() {
    let world = World::new();
    let lock = DeferredLock::new(&world);
    let (slow, resolver) = Deferred::new(&world);
    let first = world.watch(lock.run(move || slow));
    let second = world.watch(lock.run(|| Err::<(), _>(no("second"))));
    let third = world.watch(lock.run(|| -> Result<(), Failure> { panic!("third") }));
    let (never, _resolver) = Deferred::<()>::new(&world);
    let fourth = lock.run(move || never);
    let canceller = fourth.canceller();
    let fourth = world.watch(fourth);
    world.settle();
    assert!(lock.is_locked() && lock.waiting() == 3);
    resolver.resolve(1).unwrap();
    world.settle();
    assert_eq!(first.value(), 1);
    assert_eq!(second.failure().to_string(), "second");
    assert!(third.take().unwrap().is_err());
    assert!(lock.is_locked());
    canceller.cancel();
    world.settle();
    assert!(fourth.failure().is::<Cancelled>());
    assert!(!lock.is_locked());
}

#[test]
fn p2_a_token_on_its_way_to_a_dropped_waiter_goes_to_the_next() {
    let world = World::new();
    let lock = DeferredLock::new(&world);
    let token = world.watch(lock.acquire());
    let dropped = lock.acquire();
    let next = world.watch(lock.acquire());
    world.settle();
    token.value().release();
    assert!(dropped.is_fired());
    drop(dropped);
    world.settle();
    drop(next.value());
}

#[test]
fn p2_a_waiter_dropped_with_its_timeout_leaves_the_line() {
    let world = World::new();
    let lock = DeferredLock::new(&world);
    let held = world.watch(lock.acquire());
    drop(lock.acquire().timeout(SECOND, &world.handle));
    assert_eq!(lock.waiting(), 0);
    assert!(world.handle.timers().borrow().is_empty());
    let timed_out = world.watch(lock.acquire().timeout(SECOND, &world.handle));
    world.advance(SECOND);
    assert!(timed_out.failure().is::<TimedOut>());
    drop(held.value());
    assert!(!lock.is_locked());
}

#[test]
fn a_lock_whose_handles_are_gone_still_serves_those_in_line() {
    let world = World::new();
    let lock = DeferredLock::new(&world);
    let held = world.watch(lock.acquire());
    let waiting = world.watch(lock.acquire());
    drop(lock);
    world.settle();
    drop(held.value());
    world.settle();
    drop(waiting.value());
}

#[test]
fn r106_a_queue_is_first_come_first_served_on_both_sides() {
    let world = World::new();
    let queue = DeferredQueue::new(&world);
    let first = world.watch(queue.get());
    let second = world.watch(queue.get());
    for item in 1..=4 {
        queue.put(item).unwrap();
    }
    let third = world.watch(queue.get());
    world.settle();
    assert_eq!((first.value(), second.value(), third.value()), (1, 2, 3));
    assert_eq!(queue.len(), 1);
}

#[test]
fn r106_too_many_items_or_waiters_are_an_error_at_once() {
    let world = World::new();
    let queue = DeferredQueue::new(&world).with_size(1).with_backlog(1);
    queue.put('a').unwrap();
    assert_eq!(queue.put('b'), Err(QueueOverflow('b')));
    let got = world.watch(queue.get());
    let waiting = world.watch(queue.get());
    let refused = queue.get();
    assert!(refused.is_fired());
    let refused = world.watch(refused);
    world.settle();
    assert_eq!(got.value(), 'a');
    assert!(refused.failure().is::<QueueUnderflow>());
    queue.put('c').unwrap();
    world.settle();
    assert_eq!(waiting.value(), 'c');
}

#[test]
fn p2_an_item_on_its_way_to_a_dropped_getter_stands_where_it_stood() {
    let world = World::new();
    let queue = DeferredQueue::new(&world);
    let (first, second) = (queue.get(), queue.get());
    for item in 1..=3 {
        queue.put(item).unwrap();
    }
    drop(second);
    drop(first);
    assert_eq!(queue.len(), 3);
    let watches: Vec<_> = (0..3).map(|_| world.watch(queue.get())).collect();
    world.settle();
    let got: Vec<_> = watches
        .iter()
        .map(crate::task::world::Watch::value)
        .collect();
    assert_eq!(got, [1, 2, 3]);
}

#[test]
fn who_waits_for_a_queue_that_is_gone_is_told() {
    let world = World::new();
    let queue = DeferredQueue::<u8>::new(&world);
    let watch = world.watch(queue.get());
    drop(queue);
    world.settle();
    assert!(watch.failure().is::<ResolverDropped>());
}

#[derive(Debug, Clone)]
enum Step {
    Put,
    Get,
    DropOne(usize),
    CancelOne(usize),
    TakeOne(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Put),
        3 => Just(Step::Get),
        1 => any::<usize>().prop_map(Step::DropOne),
        1 => any::<usize>().prop_map(Step::CancelOne),
        2 => any::<usize>().prop_map(Step::TakeOne),
    ]
}

proptest! {
    #[test]
    fn p2_whoever_gives_up_and_whenever_no_item_is_lost_or_doubled(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let world = World::new();
        let queue = DeferredQueue::new(&world);
        let (mut getters, mut put, taken) = (Vec::new(), 0, Rc::new(RefCell::new(Vec::new())));
        for step in steps {
            match step {
                Step::Put => {
                    queue.put(put).unwrap();
                    put += 1;
                }
                Step::Get => getters.push(queue.get()),
                Step::DropOne(which) if !getters.is_empty() => {
                    drop(getters.remove(which % getters.len()));
                }
                Step::CancelOne(which) if !getters.is_empty() => {
                    let which = which % getters.len();
                    drop(getters.remove(which).cancel());
                }
                Step::TakeOne(which) if !getters.is_empty() => {
                    let taken = taken.clone();
                    let getter = getters.remove(which % getters.len());
                    getter.add_callback(move |item| taken.borrow_mut().push(item)).on_result(drop);
                    world.settle();
                }
                Step::DropOne(_) | Step::CancelOne(_) | Step::TakeOne(_) => {}
            }
        }
        getters.clear();
        while !queue.is_empty() {
            let taken = taken.clone();
            queue.get().add_callback(move |item| taken.borrow_mut().push(item));
            world.settle();
        }
        world.settle();
        let mut taken = taken.take();
        taken.sort_unstable();
        prop_assert_eq!(taken, (0..put).collect::<Vec<_>>());
        prop_assert!(world.unhandled().is_empty());
    }
}

#[test]
fn that_nothing_comes_where_nobody_waits_is_no_news_whichever_end_goes_first() {
    let world = World::new();
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    drop(deferred);
    drop(resolver);
    let (deferred, resolver) = Deferred::<u8>::new(&world);
    drop(resolver);
    drop(deferred);
    world.settle();
    assert!(world.unhandled().is_empty());
}
