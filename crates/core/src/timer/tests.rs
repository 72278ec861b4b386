//! Rules 17 to 30 on a clock that is set by hand.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::deferred::Deferred;
use crate::failure::{Cancelled, Failure, Panicked};
use crate::task::world::World;

const SECOND: Duration = Duration::from_secs(1);

/// Notes the seconds at which something happened.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<f64>>>);

impl Log {
    fn now(&self, world: &World) -> impl FnMut() + 'static {
        let (log, handle) = (self.0.clone(), world.handle.clone());
        move || log.borrow_mut().push(handle.now().as_secs_f64())
    }

    fn take(&self) -> Vec<f64> {
        self.0.take()
    }
}

#[test]
fn r017_no_delay_is_not_now() {
    let world = World::new();
    let log = Log::default();
    let mut note = log.now(&world);
    world.handle.call_later(Duration::ZERO, move |_| note());
    assert!(log.take().is_empty());
    world.turn();
    assert_eq!(log.take(), [0.0]);
}

#[test]
fn r018_a_chain_of_zero_delays_takes_a_turn_for_each() {
    fn again(handle: &crate::handle::Handle, count: Rc<Cell<u32>>) {
        handle.call_later(Duration::ZERO, move |handle| {
            count.set(count.get() + 1);
            again(handle, count);
        });
    }
    let world = World::new();
    let count = Rc::new(Cell::new(0));
    again(&world.handle, count.clone());
    for turns in 1..=3 {
        world.turn();
        assert_eq!(count.get(), turns);
    }
}

#[test]
fn r020_changing_a_call_that_is_gone_says_why() {
    let world = World::new();
    let inside = Rc::new(RefCell::new(None::<DelayedCall>));
    let own = inside.clone();
    let call = world.handle.call_later(SECOND, move |_| {
        let own = own.borrow();
        let own = own.as_ref().unwrap();
        assert_eq!(own.cancel(), Err(TimerError::AlreadyCalled));
        assert_eq!(own.reset(SECOND), Err(TimerError::AlreadyCalled));
        assert_eq!(own.delay(SECOND), Err(TimerError::AlreadyCalled));
        assert!(!own.is_active());
    });
    *inside.borrow_mut() = Some(call);
    world.advance(SECOND);
    assert_eq!(
        inside.borrow().as_ref().unwrap().cancel(),
        Err(TimerError::AlreadyCalled)
    );

    let call = world
        .handle
        .call_later(SECOND, |_| -> () { panic!("cancelled") });
    assert!(call.is_active());
    assert_eq!(call.cancel(), Ok(()));
    assert_eq!(call.cancel(), Err(TimerError::AlreadyCancelled));
    assert_eq!(call.reset(SECOND), Err(TimerError::AlreadyCancelled));
    assert_eq!(call.delay(SECOND), Err(TimerError::AlreadyCancelled));
    world.advance(2 * SECOND);
}

#[test]
fn r021_reset_counts_from_now_and_delay_from_the_due_time() {
    let world = World::new();
    let log = Log::default();
    let (mut first, mut second) = (log.now(&world), log.now(&world));
    let reset = world.handle.call_later(10 * SECOND, move |_| first());
    let delayed = world.handle.call_later(10 * SECOND, move |_| second());
    world.advance(3 * SECOND);
    reset.reset(2 * SECOND).unwrap();
    delayed.delay(2 * SECOND).unwrap();
    assert_eq!(
        (reset.due(), delayed.due()),
        (Some(5 * SECOND), Some(12 * SECOND))
    );
    world.advance(20 * SECOND);
    assert_eq!(log.take(), [5.0, 12.0]);
}

#[test]
fn r024_advancing_runs_what_the_called_schedule_within_the_time() {
    let world = World::new();
    let log = Log::default();
    let (mut first, mut second) = (log.now(&world), log.now(&world));
    world.handle.call_later(SECOND, move |handle| {
        first();
        handle.call_later(SECOND, move |_| second());
    });
    world.advance(2 * SECOND);
    assert_eq!(log.take(), [1.0, 2.0]);
}

#[test]
fn r025_a_loop_begins_at_once_and_stays_on_its_grid_after_a_stall() {
    let world = World::new();
    let log = Log::default();
    let looping = LoopingCall::new(&world.handle, log.now(&world));
    world.advance(SECOND / 2);
    let _deferred = looping.start(SECOND).unwrap();
    assert!(log.take().is_empty(), "on the turn, not in the call");
    world.advance(2 * SECOND);
    assert_eq!(log.take(), [0.5, 1.5, 2.5]);
    world.stall(Duration::from_millis(2200));
    world.settle();
    assert_eq!(log.take(), [4.7], "one call for all that was missed");
    world.advance(2 * SECOND);
    assert_eq!(log.take(), [5.5, 6.5], "and back on the grid");
}

#[test]
fn r025_a_loop_may_begin_one_interval_later() {
    let world = World::new();
    let log = Log::default();
    let looping = LoopingCall::new(&world.handle, log.now(&world));
    let _deferred = looping.start_later(SECOND).unwrap();
    world.advance(2 * SECOND);
    assert_eq!(log.take(), [1.0, 2.0]);
}

#[test]
fn r025_without_interval_a_loop_runs_once_per_turn() {
    let world = World::new();
    let log = Log::default();
    let looping = LoopingCall::new(&world.handle, log.now(&world));
    let _deferred = looping.start(Duration::ZERO).unwrap();
    for _ in 0..3 {
        world.turn();
    }
    assert_eq!(log.take().len(), 3);
}

#[test]
fn r026_a_loop_waits_for_the_deferred_of_its_function() {
    let world = World::new();
    let calls = Rc::new(Cell::new(0));
    let count = calls.clone();
    let resolver = Rc::new(RefCell::new(None));
    let (keep, handle) = (resolver.clone(), world.handle.clone());
    let looping = LoopingCall::new(&world.handle, move || {
        count.set(count.get() + 1);
        let (deferred, resolver) = Deferred::<u8>::new(&handle);
        *keep.borrow_mut() = Some(resolver);
        deferred
    });
    let watch = world.watch(looping.start(SECOND).unwrap());
    world.advance(Duration::from_millis(3500));
    assert_eq!(calls.get(), 1);
    resolver.take().unwrap().resolve(0).unwrap();
    world.advance(SECOND / 4);
    assert_eq!(calls.get(), 1, "not before the next grid time");
    world.advance(SECOND / 4);
    assert_eq!(calls.get(), 2);
    looping.stop().unwrap();
    world.settle();
    assert!(watch.take().is_none(), "the function is not done");
    resolver.take().unwrap().resolve(0).unwrap();
    world.settle();
    assert!(!watch.value().is_running());
}

#[test]
fn r027_start_fires_with_the_loop_when_it_is_stopped() {
    let world = World::new();
    let log = Log::default();
    let looping = LoopingCall::new(&world.handle, log.now(&world));
    let watch = world.watch(looping.start(SECOND).unwrap());
    assert_eq!(looping.start(SECOND).unwrap_err(), AlreadyRunning);
    assert_eq!(
        (looping.is_running(), looping.interval()),
        (true, Some(SECOND))
    );
    world.settle();
    looping.stop().unwrap();
    assert_eq!(looping.stop(), Err(NotRunning));
    assert_eq!(looping.reset(), Err(NotRunning));
    world.advance(5 * SECOND);
    assert_eq!(log.take(), [0.0]);
    let stopped = watch.value();
    assert!(stopped.start(SECOND).is_ok(), "it may run again");
}

#[test]
fn r027_a_loop_stopped_by_its_own_function_fires_too() {
    let world = World::new();
    let own = Rc::new(RefCell::new(None::<LoopingCall>));
    let to_stop = own.clone();
    let looping = LoopingCall::new(&world.handle, move || {
        to_stop.borrow().as_ref().unwrap().stop().unwrap();
    });
    *own.borrow_mut() = Some(looping.clone());
    let watch = world.watch(looping.start(SECOND).unwrap());
    world.settle();
    assert!(!watch.value().is_running());
    own.take();
}

#[test]
fn r027_a_loop_whose_function_fails_or_panics_is_over() {
    let world = World::new();
    let failing = LoopingCall::new(&world.handle, || {
        Err::<(), _>(Failure::message("third time"))
    });
    let watch = world.watch(failing.start(SECOND).unwrap());
    world.settle();
    assert_eq!(watch.failure().to_string(), "third time");
    assert!(!failing.is_running());
    let panicking = LoopingCall::new(&world.handle, || panic!("once"));
    let watch = world.watch(panicking.start(SECOND).unwrap());
    world.advance(3 * SECOND);
    assert!(watch.failure().is::<Panicked>());
    assert!(world.handle.timers().borrow().is_empty());
}

#[test]
fn a_loop_is_stopped_by_cancelling_its_deferred() {
    let world = World::new();
    let log = Log::default();
    let looping = LoopingCall::new(&world.handle, log.now(&world));
    let watch = world.watch(looping.start(SECOND).unwrap().cancel());
    world.advance(3 * SECOND);
    assert!(watch.failure().is::<Cancelled>());
    assert!(!looping.is_running());
    assert!(log.take().len() <= 1);
}

#[test]
fn a_reset_loop_skips_a_call_and_moves_its_grid() {
    let world = World::new();
    let log = Log::default();
    let looping = LoopingCall::new(&world.handle, log.now(&world));
    let _deferred = looping.start(SECOND).unwrap();
    world.advance(SECOND * 3 / 4);
    looping.reset().unwrap();
    world.advance(2 * SECOND);
    assert_eq!(log.take(), [0.0, 1.75, 2.75]);
}

#[test]
fn r028_a_counting_loop_is_told_how_many_grid_times_came() {
    let world = World::new();
    let counts = Rc::new(RefCell::new(Vec::new()));
    let note = counts.clone();
    let looping =
        LoopingCall::with_count(&world.handle, move |count| note.borrow_mut().push(count));
    let _deferred = looping.start(SECOND).unwrap();
    world.advance(2 * SECOND);
    world.stall(Duration::from_millis(3500));
    world.settle();
    world.advance(SECOND / 2);
    assert_eq!(counts.take(), [1, 1, 1, 3, 1]);
    looping.stop().unwrap();
    let _deferred = looping.start_later(SECOND).unwrap();
    world.stall(2 * SECOND);
    world.settle();
    assert_eq!(counts.take(), [2]);
}

#[test]
fn r029_defer_later_gives_the_result_of_its_function() {
    let world = World::new();
    let watch = world.watch(defer_later(&world.handle, SECOND, || Ok("late")));
    world.advance(SECOND / 2);
    assert!(watch.take().is_none());
    world.advance(SECOND / 2);
    assert_eq!(watch.value(), "late");
}

#[test]
fn r029_cancelling_defer_later_removes_its_timer() {
    let world = World::new();
    let deferred = defer_later(&world.handle, SECOND, || -> () { panic!("cancelled") });
    let watch = world.watch(deferred.cancel());
    world.settle();
    assert!(watch.failure().is::<Cancelled>());
    assert!(world.handle.timers().borrow().is_empty());
}

#[test]
fn a_sleeping_future_wakes_is_cancelled_and_dropped() {
    let world = World::new();
    let handle = world.handle.clone();
    let task = world.tasks().spawn(async move {
        sleep(&handle, SECOND).await?;
        drop(sleep(&handle, SECOND));
        assert!(handle.timers().borrow().is_empty());
        let cancelled = sleep(&handle, SECOND).await;
        Ok((handle.now(), cancelled.unwrap_err().is::<Cancelled>()))
    });
    world.advance(SECOND);
    let watch = world.watch(task.cancel());
    world.settle();
    assert_eq!(watch.value(), (SECOND, true));
    assert!(world.handle.timers().borrow().is_empty());
}

#[test]
fn r030_works_take_turns_and_a_deferred_pauses_only_its_own() {
    let world = World::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let (waiting, resolver) = Deferred::new(&world);
    let (first, second) = (log.clone(), log.clone());
    let cooperator = Cooperator::new(&world.handle);
    let mut waiting = Some(waiting);
    let first = cooperator.cooperate((0..3).map(move |n| {
        first.borrow_mut().push(("first", n));
        if n == 1 { waiting.take() } else { None }
    }));
    let second = cooperator.cooperate((0..3).map(move |n| second.borrow_mut().push(("second", n))));
    let (first, second) = (
        world.watch(first.when_done()),
        world.watch(second.when_done()),
    );
    assert!(log.borrow().is_empty());
    world.settle();
    let expected = [
        ("first", 0),
        ("second", 0),
        ("first", 1),
        ("second", 1),
        ("second", 2),
    ];
    assert_eq!(log.take(), expected);
    second.value();
    assert!(first.take().is_none());
    resolver.resolve(()).unwrap();
    world.settle();
    assert_eq!(log.take(), [("first", 2)]);
    first.value();
}

#[test]
fn r030_a_slice_ends_after_ten_milliseconds_or_a_thousand_pieces() {
    let world = World::new();
    let pieces = Rc::new(Cell::new(0));
    let (count, work) = (pieces.clone(), pieces.clone());
    let cooperator = Cooperator::new(&world.handle);
    let instant = cooperator.cooperate(std::iter::repeat_with(move || count.set(count.get() + 1)));
    world.turn();
    assert_eq!(pieces.take(), 1000);
    instant.stop().unwrap();
    world.turn();
    let world = Rc::new(world);
    let clock = world.clone();
    Cooperator::new(&world.handle).cooperate(std::iter::repeat_with(move || {
        clock.stall(Duration::from_millis(3));
        work.set(work.get() + 1);
    }));
    world.turn();
    assert_eq!(pieces.get(), 4);
    world.tasks().close();
}

#[test]
fn r030_a_work_is_paused_resumed_and_stopped() {
    let world = World::new();
    let pieces = Rc::new(Cell::new(0));
    let count = pieces.clone();
    let task = Cooperator::new(&world.handle)
        .cooperate((0..5000).map(move |_| count.set(count.get() + 1)));
    assert_eq!(task.resume(), Err(CooperativeTaskError::NotPaused));
    world.turn();
    task.pause().unwrap();
    task.pause().unwrap();
    world.settle();
    assert_eq!(pieces.get(), 1000);
    task.resume().unwrap();
    world.settle();
    assert_eq!(pieces.get(), 1000);
    task.resume().unwrap();
    world.turn();
    assert_eq!(pieces.get(), 2000);
    let watch = world.watch(task.when_done());
    task.stop().unwrap();
    world.settle();
    assert_eq!(pieces.get(), 2000);
    assert!(watch.failure().is::<CooperativeTaskError>());
    assert_eq!(task.pause(), Err(CooperativeTaskError::Stopped));
    assert_eq!(task.stop(), Err(CooperativeTaskError::Stopped));
}

#[test]
fn r030_a_work_that_fails_tells_why_once_and_the_fact_always() {
    let world = World::new();
    let cooperator = Cooperator::new(&world.handle);
    let failed = Deferred::<()>::fail(&world, Failure::message("no"));
    let task = cooperator.cooperate([Some(failed), None]);
    let (first, second) = (world.watch(task.when_done()), world.watch(task.when_done()));
    let panicking = cooperator.cooperate((0..2).map(|n| assert_eq!(n, 0, "on purpose")));
    world.settle();
    assert_eq!(first.failure().to_string(), "no");
    let failed = second.failure().downcast::<CooperativeTaskError>().unwrap();
    assert_eq!(failed, CooperativeTaskError::Failed);
    assert_eq!(task.stop(), Err(CooperativeTaskError::Failed));
    let panicked = world.watch(panicking.when_done());
    world.settle();
    assert!(panicked.failure().is::<Panicked>());
}
