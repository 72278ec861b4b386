//! Messages between cores of one simulated world.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Reactor;
use ropewalk_cores::{Core, Hub, SendError};
use ropewalk_sim::World;

/// Runs so many cores, set up by a function, until all have stopped.
fn run<M: Send + 'static>(hub: &Hub<M>, setup: impl Fn(&Core<M>)) -> World {
    let world = World::new(7);
    let core_of = |index| {
        let name = format!("core-{index}");
        world.host(&name);
        Reactor::new(world.driver(&name))
    };
    let mut reactors: Vec<Reactor> = (0..hub.count()).map(core_of).collect();
    for (index, reactor) in reactors.iter().enumerate() {
        setup(&hub.join(index, reactor));
    }
    world
        .run(&mut reactors.iter_mut().collect::<Vec<_>>())
        .unwrap();
    world
}

fn stop<M: Send + 'static>(core: &Core<M>) {
    core.reactor().stop().unwrap();
}

#[test]
fn messages_of_each_core_come_in_order_and_say_from_where() {
    let hub = Hub::new(3);
    let heard: Rc<RefCell<Vec<(usize, u32)>>> = Rc::default();
    run(&hub, |core| {
        let heard = Rc::clone(&heard);
        core.on_message(move |core, from, number| {
            heard.borrow_mut().push((from, number));
            if heard.borrow().len() == 2000 {
                assert!(core.broadcast(&u32::MAX).is_empty());
                stop(core);
            } else if number == u32::MAX {
                stop(core);
            }
        });
        if core.index() > 0 {
            let core = core.clone();
            core.reactor().clone().call_when_running(move |_| {
                (0..1000).for_each(|number| core.send(0, number).unwrap());
            });
        }
    });
    let heard = heard.borrow();
    for sender in 1..3 {
        let from: Vec<u32> = heard
            .iter()
            .filter(|&&(from, _)| from == sender)
            .map(|&(_, number)| number)
            .collect();
        assert_eq!(from, (0..1000).collect::<Vec<_>>(), "core {sender}");
    }
}

#[test]
fn a_full_mailbox_and_a_core_that_is_gone_give_the_message_back() {
    let hub = Hub::with_mailboxes(2, 3);
    run(&hub, |core| {
        let core = core.clone();
        core.reactor().clone().call_when_running(move |reactor| {
            if core.index() == 0 {
                for number in 0..3 {
                    core.send(1, number).unwrap();
                }
                let refused = core.send(1, 3).unwrap_err();
                assert_eq!(refused, SendError::Full(3));
                assert!(refused.to_string().contains("full"), "{refused}");
                assert_eq!(core.broadcast(&4), [1]);
            }
            reactor.stop().unwrap();
        });
    });
    let reactor = Reactor::new(ropewalk_sim::SimDriver::alone(1));
    let hub = Hub::new(2);
    let core = hub.join(0, &reactor);
    drop(hub.join(1, &Reactor::new(ropewalk_sim::SimDriver::alone(2))));
    assert_eq!(core.send(1, "lost").unwrap_err().into_message(), "lost");
}

#[test]
fn a_flood_of_messages_starves_no_timer_and_a_panic_loses_only_its_message() {
    let hub = Hub::new(1);
    let (count, ticks) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    run(&hub, |core| {
        let counted = Rc::clone(&count);
        core.on_message(move |core, _, number: u32| {
            counted.set(counted.get() + 1);
            let _full_is_fine = core.send(0, number + 1);
            assert!(number != 500, "the core goes on without this one");
        });
        core.send(0, 0).unwrap();
        let (ticks, core) = (Rc::clone(&ticks), core.clone());
        core.reactor()
            .clone()
            .call_later(Duration::ZERO, move |reactor| {
                ticks.set(ticks.get() + 1);
                reactor.call_later(Duration::ZERO, move |_| stop(&core));
            });
    });
    assert_eq!(ticks.get(), 1);
    assert!(
        count.get() < 2000,
        "{} messages in a few turns",
        count.get()
    );
}

#[test]
#[should_panic(expected = "there is no core 2: they are 0 to 1")]
fn there_are_only_so_many_cores() {
    let reactor = Reactor::new(ropewalk_sim::SimDriver::alone(1));
    let core = Hub::new(2).join(0, &reactor);
    let _ = core.send(2, ());
}

#[test]
#[should_panic(expected = "another reactor is core 0 already")]
fn a_place_is_taken_once() {
    let reactor = Reactor::new(ropewalk_sim::SimDriver::alone(1));
    let hub = Hub::<()>::new(1);
    let _first = hub.join(0, &reactor);
    let _second = hub.join(0, &reactor);
}
