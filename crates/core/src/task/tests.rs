//! Tasks: order, fairness, waking, panics, leftovers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::*;
use crate::failure::Panicked;
use crate::task::world::{BUDGET, World};

/// Ready when polled again.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn tasks_and_calls_run_in_one_order_and_never_inside_the_call() {
    let world = World::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let note = |entry| {
        let log = log.clone();
        move || log.borrow_mut().push(entry)
    };
    let (first, second, third) = (note(1), note(2), note(3));
    world.tasks().call_soon(move |_| first());
    world.tasks().spawn(async move { second() });
    world.tasks().call_soon(move |_| third());
    assert!(log.borrow().is_empty());
    world.turn();
    assert_eq!(*log.borrow(), [1, 2, 3]);
}

#[test]
fn state_that_is_not_send_is_held_across_awaits() {
    let world = World::new();
    let room = Rc::new(RefCell::new(Vec::new()));
    for name in ["ann", "bob"] {
        let room = room.clone();
        world.tasks().spawn(async move {
            room.borrow_mut().push(name);
            yield_now().await;
            room.borrow_mut().push(name);
        });
    }
    world.settle();
    assert_eq!(*room.borrow(), ["ann", "bob", "ann", "bob"]);
}

#[test]
fn r018_tasks_that_wake_themselves_for_ever_leave_room_for_timers() {
    let world = World::new();
    let polls = Rc::new(Cell::new(0));
    let count = polls.clone();
    world.tasks().spawn(async move {
        loop {
            count.set(count.get() + 1);
            yield_now().await;
        }
    });
    let timer = Rc::new(Cell::new(false));
    let fired = timer.clone();
    assert!(world.turn(), "work is left");
    assert_eq!(polls.get(), BUDGET);
    world
        .handle
        .call_later(std::time::Duration::ZERO, move |_| fired.set(true));
    world.turn();
    assert!(timer.get());
}

#[test]
fn r032_calls_from_other_threads_run_in_order_on_the_turn() {
    let world = World::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    for n in 0..3 {
        let sender = sender.clone();
        world
            .mailbox
            .call(Box::new(move |_| sender.send(n).unwrap()))
            .unwrap();
    }
    assert!(receiver.try_recv().is_err());
    world.turn();
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn r013_a_panic_in_a_call_is_recorded_and_nothing_else_happens() {
    let world = World::new();
    let line = line!() + 1;
    world.tasks().call_soon(|_| panic!("oops"));
    world
        .mailbox
        .call(Box::new(|_| panic!("from a thread")))
        .unwrap();
    let ran = Rc::new(Cell::new(false));
    let note = ran.clone();
    world.tasks().call_soon(move |_| note.set(true));
    world.turn();
    assert!(ran.get());
    let unhandled = world.tasks().take_unhandled();
    assert_eq!(unhandled.len(), 2);
    assert!(
        unhandled
            .iter()
            .all(|unhandled| unhandled.failure.is::<Panicked>())
    );
    assert_eq!(unhandled[0].made.line(), line);
}

#[test]
fn a_panic_in_a_task_fails_its_deferred_and_names_where_it_was_spawned() {
    let world = World::new();
    let line = line!() + 1;
    let task = world.tasks().spawn(async {
        yield_now().await;
        panic!("in a task");
    });
    let watch = world.watch(task);
    world.settle();
    let failure = watch.failure();
    assert_eq!(
        failure.downcast_ref::<Panicked>().unwrap().location.line(),
        line
    );
    assert!(world.tasks().live().is_empty());
}

#[test]
fn a_destructor_that_panics_does_no_more_harm() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let world = World::new();
    let ticking = || {
        let bomb = Bomb;
        world.tasks().spawn(async move {
            std::future::pending::<()>().await;
            drop(bomb);
        })
    };
    let (task, _second, _third) = (ticking(), ticking(), ticking());
    world.settle();
    let watch = world.watch(task.cancel());
    world.settle();
    assert!(watch.failure().is::<Cancelled>());
    world.tasks().close();
    assert!(world.tasks().live().is_empty(), "two bombs in a row");
}

#[test]
fn a_waker_works_from_the_turn_from_outside_and_from_another_thread() {
    let world = World::new();
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    let polls = Rc::new(Cell::new(0));
    let (keep, count) = (waker.clone(), polls.clone());
    world.tasks().spawn(poll_fn::<(), _>(move |context| {
        count.set(count.get() + 1);
        *keep.borrow_mut() = Some(context.waker().clone());
        Poll::Pending
    }));
    world.settle();
    let take = || waker.borrow_mut().take().unwrap();
    let here = take();
    world.tasks().call_soon(move |_| {
        here.wake_by_ref();
        here.wake();
    });
    world.settle();
    assert_eq!(polls.get(), 2, "woken twice, polled once");
    take().wake();
    assert!(
        !world.tasks().has_ready(),
        "outside a turn it goes through the mailbox"
    );
    world.settle();
    assert_eq!(polls.get(), 3);
    let elsewhere = take();
    run_in_a_thread(move || elsewhere.wake());
    world.settle();
    assert_eq!(polls.get(), 4);
}

#[expect(
    clippy::disallowed_methods,
    reason = "wakers are for other threads, too"
)]
fn run_in_a_thread(call: impl FnOnce() + Send + 'static) {
    std::thread::spawn(call).join().unwrap();
}

#[test]
fn reactors_nested_on_one_thread_keep_their_tasks_apart() {
    let (outer, inner) = (World::new(), World::new());
    let (deferred, resolver) = Deferred::new(&outer);
    let task = outer.tasks().spawn(deferred);
    let watch = outer.watch(task);
    outer.settle();
    inner
        .tasks()
        .call_soon(move |_| resolver.resolve("from inside").unwrap());
    outer.tasks().call_soon(move |_| inner.settle());
    outer.settle();
    assert_eq!(watch.value(), "from inside");
}

#[test]
fn p3_live_tasks_say_their_name_their_birthplace_and_what_they_await() {
    let world = World::new();
    let (never, _resolver) = Deferred::<()>::new(&world);
    world.tasks().spawn_named("lonely", never);
    world.tasks().spawn(async { yield_now().await });
    world.settle();
    let live = world.tasks().live();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].name.as_deref(), Some("lonely"));
    assert_eq!(live[0].awaits.len(), 1);
    let text = live[0].to_string();
    assert!(
        text.starts_with("task \"lonely\" spawned at ") && text.contains(file!()),
        "{text}"
    );
}

#[test]
fn closing_drops_everything_and_what_comes_later() {
    let world = World::new();
    let witness = Rc::new(());
    let hold = || witness.clone();
    let (waiting, queued, spawning) = (hold(), hold(), hold());
    let tasks = world.tasks().clone();
    let spawn_at_the_end = crate::task::tests::OnDrop(Some(move || {
        tasks.spawn(async move { drop(spawning) });
    }));
    world.tasks().spawn(async move {
        std::future::pending::<()>().await;
        drop((waiting, spawn_at_the_end));
    });
    world.settle();
    world.tasks().call_soon(move |_| drop(queued));
    world.tasks().close();
    assert_eq!(Rc::strong_count(&witness), 1);
    let late = hold();
    let task = world.tasks().spawn(async move { drop(late) });
    assert_eq!(Rc::strong_count(&witness), 1);
    assert!(task.is_fired(), "it will never run, and says so");
    assert!(!world.turn());
}

struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call();
        }
    }
}
