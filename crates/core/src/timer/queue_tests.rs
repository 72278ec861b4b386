//! The timer queue against rules 18, 19, 21, 22, 23 and against a naive model.

use super::*;
use proptest::prelude::*;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn pop_all<T>(queue: &mut TimerQueue<T>, now: Duration) -> Vec<T> {
    let mark = queue.mark();
    std::iter::from_fn(|| queue.pop_due(now, mark))
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn r018_what_a_pass_schedules_waits_for_the_next_pass() {
    let mut queue = TimerQueue::new();
    queue.schedule(ms(0), 'a');
    let mark = queue.mark();
    assert!(queue.pop_due(ms(0), mark).is_some());
    queue.schedule(ms(0), 'b');
    assert!(queue.pop_due(ms(0), mark).is_none());
    assert_eq!(pop_all(&mut queue, ms(0)), ['b']);
}

#[test]
fn r019_due_order_then_scheduling_order() {
    let mut queue = TimerQueue::new();
    for (due, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b'), (5, 'e')] {
        queue.schedule(ms(due), name);
    }
    assert_eq!(pop_all(&mut queue, ms(4)), ['a', 'b']);
    assert_eq!(pop_all(&mut queue, ms(5)), ['c', 'd', 'e']);
}

#[test]
fn r021_reset_moves_sooner_and_later() {
    let mut queue = TimerQueue::new();
    let later = queue.schedule(ms(10), "later");
    let sooner = queue.schedule(ms(20), "sooner");
    assert!(queue.reset(later, ms(30)));
    assert!(queue.reset(sooner, ms(5)));
    assert_eq!(queue.next_due(), Some(ms(5)));
    assert_eq!(pop_all(&mut queue, ms(29)), ["sooner"]);
    assert_eq!(queue.next_due(), Some(ms(30)));
    assert_eq!(pop_all(&mut queue, ms(30)), ["later"]);
    assert!(!queue.reset(later, ms(40)));
}

#[test]
fn r022_neither_cancelled_nor_run_timers_are_listed() {
    let mut queue = TimerQueue::new();
    let cancelled = queue.schedule(ms(1), 'c');
    let run = queue.schedule(ms(2), 'r');
    let pending = queue.schedule(ms(9), 'p');
    assert_eq!(queue.cancel(cancelled), Some('c'));
    assert_eq!(queue.cancel(cancelled), None);
    assert_eq!(pop_all(&mut queue, ms(2)), ['r']);
    assert_eq!(queue.due(run), None);
    let listed: Vec<_> = queue.iter().collect();
    assert_eq!(listed, [(pending, ms(9), &'p')]);
    assert_eq!(queue.len(), 1);
}

#[test]
fn r023_a_distant_time_neither_overflows_nor_hides_a_near_one() {
    let mut queue = TimerQueue::new();
    let far = queue.schedule(Duration::MAX, "far");
    queue.schedule(ms(1), "near");
    assert_eq!(queue.next_due(), Some(ms(1)));
    assert_eq!(pop_all(&mut queue, ms(1)), ["near"]);
    assert_eq!(queue.due(far), Some(Duration::from_nanos(u64::MAX)));
}

#[test]
fn an_old_key_never_names_a_new_timer() {
    let mut queue = TimerQueue::new();
    let old = queue.schedule(ms(1), 'a');
    queue.cancel(old);
    let new = queue.schedule(ms(1), 'b');
    assert_eq!(new.index, old.index, "the slot is used again");
    assert_eq!(queue.cancel(old), None);
    assert_eq!(queue.due(new), Some(ms(1)));
}

#[test]
fn a_slot_whose_generations_are_used_up_is_not_used_again() {
    let mut queue = TimerQueue::new();
    let first = queue.schedule(ms(1), 'a');
    queue.cancel(first);
    queue.slots[0].generation = LAST_GENERATION - 1;
    let last = queue.schedule(ms(1), 'b');
    assert_eq!((last.index, queue.cancel(last)), (0, Some('b')));
    let next = queue.schedule(ms(1), 'c');
    assert_eq!(next.index, 1);
    assert_eq!(queue.due(last), None);
    assert_eq!(queue.due(TimerKey::NONE), None);
}

#[test]
fn cancelled_timers_do_not_pile_up() {
    let mut queue = TimerQueue::new();
    queue.schedule(ms(1), 0);
    for n in 0..10_000 {
        let key = queue.schedule(ms(1000 + n), n);
        queue.cancel(key);
        assert!(queue.heap.len() + queue.young.len() <= SWEEP_FROM + 1);
    }
    assert_eq!((queue.len(), queue.slots.len()), (1, 2));
}

#[derive(Debug, Clone)]
enum Step {
    Schedule(u64),
    Cancel(usize),
    Reset(usize, u64),
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..50u64).prop_map(Step::Schedule),
        2 => any::<usize>().prop_map(Step::Cancel),
        3 => (any::<usize>(), 0..50u64).prop_map(|(which, due)| Step::Reset(which, due)),
        1 => (0..50u64).prop_map(Step::Run),
    ]
}

/// The law: a list of (due, order of scheduling, name), searched from end to end.
#[derive(Default)]
struct Model {
    pending: Vec<(u64, u64, usize)>,
    sequence: u64,
}

impl Model {
    fn put(&mut self, due: u64, name: usize) {
        self.pending.push((due, self.sequence, name));
        self.sequence += 1;
    }

    fn take(&mut self, name: usize) -> bool {
        let before = self.pending.len();
        self.pending.retain(|entry| entry.2 != name);
        self.pending.len() < before
    }

    fn run(&mut self, now: u64) -> Vec<usize> {
        self.pending.sort_unstable();
        let due = self.pending.partition_point(|entry| entry.0 <= now);
        self.pending.drain(..due).map(|entry| entry.2).collect()
    }
}

proptest! {
    #[test]
    fn r019_like_the_naive_list_whatever_is_done(steps in prop::collection::vec(step(), 0..400)) {
        let (mut queue, mut model, mut keys) = (TimerQueue::new(), Model::default(), Vec::new());
        for step in steps {
            match step {
                Step::Schedule(due) => {
                    model.put(due, keys.len());
                    keys.push(queue.schedule(ms(due), keys.len()));
                }
                Step::Cancel(which) if !keys.is_empty() => {
                    let name = which % keys.len();
                    let expected = model.take(name).then_some(name);
                    prop_assert_eq!(queue.cancel(keys[name]), expected);
                }
                Step::Reset(which, due) if !keys.is_empty() => {
                    let name = which % keys.len();
                    let pending = model.take(name);
                    if pending {
                        model.put(due, name);
                    }
                    prop_assert_eq!(queue.reset(keys[name], ms(due)), pending);
                }
                Step::Run(now) => prop_assert_eq!(pop_all(&mut queue, ms(now)), model.run(now)),
                Step::Cancel(_) | Step::Reset(..) => {}
            }
            prop_assert_eq!(queue.len(), model.pending.len());
            let next = model.pending.iter().map(|entry| ms(entry.0)).min();
            prop_assert_eq!(queue.next_due(), next);
        }
        prop_assert_eq!(queue.drain(), model.run(u64::MAX));
    }
}
