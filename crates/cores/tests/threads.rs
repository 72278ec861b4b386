//! Cores on threads of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ropewalk_core::{Failure, Phase};
use ropewalk_cores::{Core, Cores};

#[test]
fn a_message_goes_round_and_one_stop_stops_all_in_order() {
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ended);
    Cores::new(4)
        .run(move |reactor, core: &Core<usize>| {
            let counted = Arc::clone(&counted);
            reactor.add_trigger(Phase::DuringShutdown, move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            core.on_message(|core, from, hops| {
                assert_eq!((from + 1) % core.count(), core.index());
                if hops == 10_000 {
                    core.reactor().stop().unwrap();
                } else {
                    core.send((core.index() + 1) % core.count(), hops + 1)
                        .unwrap();
                }
            });
            if core.index() == 3 {
                core.send(0, 1)?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 4);
}

#[test]
fn when_one_cannot_be_set_up_none_runs() {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let failure = Cores::new(3)
        .run(move |reactor, core: &Core<()>| {
            let counted = Arc::clone(&counted);
            reactor.call_when_running(move |_| {
                counted.fetch_add(1, Ordering::SeqCst);
            });
            if core.index() == 2 {
                return Err(Failure::message("no room on core 2"));
            }
            Ok(())
        })
        .unwrap_err();
    assert_eq!(failure.to_string(), "no room on core 2");
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn a_setup_that_panics_names_its_core() {
    let failure = Cores::new(2)
        .run(|_, core: &Core<()>| {
            assert!(core.index() == 0, "this core does not want to");
            Ok(())
        })
        .unwrap_err();
    assert!(failure.to_string().contains("core 1"), "{failure}");
}

#[test]
fn zero_cores_are_as_many_as_there_are() {
    assert!(Cores::new(0).count() >= 1);
}
