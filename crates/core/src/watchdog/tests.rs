use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::pulse::Entry;
use super::*;

const MS: Duration = Duration::from_millis(1);

struct World {
    heart: Rc<Heart>,
    lookout: Lookout,
    now: Rc<Cell<Duration>>,
}

impl World {
    fn new(watchdog: Watchdog) -> Self {
        let now = Rc::new(Cell::new(Duration::ZERO));
        let clock = Rc::clone(&now);
        let heart = Heart::new(Rc::new(move || clock.get()));
        let lookout = Lookout::new(heart.pulse().clone(), watchdog);
        Self {
            heart,
            lookout,
            now,
        }
    }

    fn look(&mut self, at: u32) -> Seen {
        self.now.set(MS * at);
        self.lookout.look(MS * at)
    }

    fn looks(&mut self, from: u32, to: u32) {
        for at in (from..=to).step_by(25) {
            assert!(matches!(self.look(at), Seen::Work), "at {at} ms");
        }
    }

    fn enter(&self) -> Entry {
        let site = self.heart.site("", Of::Protocol("Echo"));
        self.heart.enter(Callback::DataReceived, site)
    }
}

#[test]
fn who_waits_is_not_late() {
    let mut world = World::new(Watchdog::default());
    assert!(matches!(world.look(0), Seen::Rest));
    world.heart.pulse().work();
    assert!(matches!(world.look(25), Seen::Work));
    world.heart.pulse().rest();
    assert!(matches!(world.look(9000), Seen::Rest));
    world.heart.pulse().work();
    assert!(
        matches!(world.look(18_000), Seen::Work),
        "another turn begins anew"
    );
}

#[test]
fn a_callback_is_late_after_the_threshold_and_told_when_it_ends() {
    let mut world = World::new(Watchdog::default());
    world.heart.pulse().work();
    let entry = world.enter();
    world.looks(0, 75);
    assert!(!world.heart.leave(entry), "75 ms are none");
    let entry = world.enter();
    world.looks(100, 200);
    assert!(world.heart.leave(entry));
    assert_eq!(world.heart.lasted(), MS * 100);
    let entry = world.enter();
    assert!(!world.heart.leave(entry), "the next one is not to blame");
}

#[test]
fn callbacks_that_are_quick_each_are_not_late_but_their_turn_is() {
    let mut world = World::new(Watchdog::default());
    world.heart.pulse().work();
    for at in (0..1000).step_by(25) {
        let entry = world.enter();
        world.looks(at, at);
        assert!(!world.heart.leave(entry));
    }
    let marks = world.heart.pulse().marks();
    assert!(world.heart.pulse().is_late_turn(marks.turn));
}

#[test]
fn a_turn_that_is_stuck_is_told_at_twice_the_time_again_with_what_runs() {
    let mut world = World::new(Watchdog::default());
    world.heart.pulse().work();
    let _entry = world.enter();
    let mut told = Vec::new();
    for at in (0..21_000).step_by(25) {
        if let Seen::Stuck(stuck) = world.look(at) {
            assert!(
                stuck.to_string().starts_with("data_received of Echo runs"),
                "{stuck}"
            );
            told.push(stuck.lasts.as_secs());
        }
    }
    assert_eq!(told, [5, 10, 20]);
}

#[test]
fn between_callbacks_the_last_one_is_not_accused() {
    let mut world = World::new(Watchdog::default());
    world.heart.pulse().work();
    let entry = world.enter();
    let _ = world.heart.leave(entry);
    world.looks(0, 25);
    let Seen::Stuck(stuck) = world.look(5000) else {
        panic!("it is stuck")
    };
    assert!(
        stuck.to_string().starts_with("nothing of the program runs"),
        "{stuck}"
    );
}

#[test]
fn one_that_is_lost_ends_the_process() {
    let mut world = World::new(Watchdog {
        abort: Some(MS * 300),
        ..Watchdog::default()
    });
    world.heart.pulse().work();
    world.looks(0, 275);
    assert!(matches!(world.look(300), Seen::Lost(_)));
}

#[test]
fn who_could_not_look_begins_anew() {
    let mut world = World::new(Watchdog::default());
    world.heart.pulse().work();
    let entry = world.enter();
    world.looks(0, 50);
    world.lookout.forget();
    world.looks(60_000, 60_075);
    assert!(!world.heart.leave(entry));
}

#[test]
fn whoever_sleeps_is_woken_once_by_work() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl crate::driver::Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let world = World::new(Watchdog::default());
    let pulse = world.heart.pulse();
    let count = std::sync::Arc::new(Count(0.into()));
    pulse.set_watcher(count.clone());
    pulse.work();
    pulse.rest();
    pulse.sleep();
    for _ in 0..3 {
        pulse.work();
        pulse.rest();
    }
    assert_eq!(count.0.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn the_shortest_time_says_how_often_to_look() {
    let lookout = |watchdog| Lookout::new(std::sync::Arc::default(), watchdog);
    assert_eq!(lookout(Watchdog::default()).interval(), MS * 25);
    let abort = Watchdog {
        abort: Some(MS * 2),
        ..Watchdog::OFF
    };
    assert_eq!(lookout(abort).interval(), MS);
}
