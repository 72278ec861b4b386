//! The law of a chain: whatever callbacks it has, and whenever the Deferreds that they return fire, its result is that of the same functions
//! applied one after another to a `Result`, each at most once and in order.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::failure::Cancelled;
use crate::task::world::World;

#[derive(Debug, Clone, Copy)]
enum Link {
    Add(u32),
    Refuse,
    Recover(u32),
    AddLater(u32),
    RefuseLater,
    Swap,
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        3 => (1..9u32).prop_map(Link::Add),
        1 => Just(Link::Refuse),
        2 => (1..9u32).prop_map(Link::Recover),
        3 => (1..9u32).prop_map(Link::AddLater),
        1 => Just(Link::RefuseLater),
        1 => Just(Link::Swap),
    ]
}

/// What a link makes of a result; `None` is a failure.
fn expected(links: &[Link], first: Option<u32>) -> (Option<u32>, Vec<usize>) {
    let mut called = Vec::new();
    let mut result = first;
    for (index, link) in links.iter().enumerate() {
        let is_called = match link {
            Link::Recover(_) => result.is_none(),
            Link::Swap => true,
            Link::Add(_) | Link::Refuse | Link::AddLater(_) | Link::RefuseLater => result.is_some(),
        };
        if is_called {
            called.push(index);
        }
        result = match link {
            Link::Add(n) | Link::AddLater(n) => result.map(|value| value + n),
            Link::Refuse | Link::RefuseLater => None,
            Link::Recover(n) => result.or(Some(*n)),
            Link::Swap => {
                if result.is_some() {
                    None
                } else {
                    Some(0)
                }
            }
        };
    }
    (result, called)
}

/// The Deferreds that callbacks returned, to be fired by the test.
type Later = Rc<RefCell<Vec<(Resolver<u32>, Option<u32>)>>>;

fn add(
    world: &World,
    deferred: Deferred<u32>,
    link: Link,
    note: impl FnOnce() + 'static,
    later: &Later,
) -> Deferred<u32> {
    let (inner, resolver) = Deferred::new(world);
    let later = later.clone();
    match link {
        Link::Add(n) => deferred.add_callback(move |value| {
            note();
            Ok(value + n)
        }),
        Link::Refuse => deferred.add_callback(move |_| {
            note();
            Err(Failure::message("refused"))
        }),
        Link::Recover(n) => deferred.add_errback(move |_| {
            note();
            Ok(n)
        }),
        Link::AddLater(n) => deferred.add_callback(move |value| {
            note();
            later.borrow_mut().push((resolver, Some(value + n)));
            inner
        }),
        Link::RefuseLater => deferred.add_callback(move |_| {
            note();
            later.borrow_mut().push((resolver, None));
            inner
        }),
        Link::Swap => deferred.add_both(move |result| {
            note();
            if result.is_ok() {
                Err(Cancelled.into())
            } else {
                Ok(0)
            }
        }),
    }
}

fn fire(resolver: &Resolver<u32>, result: Option<u32>) {
    resolver
        .resolve_with(result.ok_or_else(|| Failure::message("refused")))
        .unwrap();
}

proptest! {
    #[test]
    fn r093_r096_a_chain_is_its_functions_one_after_another(
        links in prop::collection::vec(link(), 0..30),
        first in prop::option::of(0..100u32),
        fired_after in 0..30usize,
    ) {
        let world = World::new();
        let (called, later) = (Rc::new(RefCell::new(Vec::new())), Later::default());
        let (mut deferred, resolver) = Deferred::new(&world);
        for (index, link) in links.iter().enumerate() {
            if index == fired_after {
                fire(&resolver, first);
                world.turn();
            }
            let called = called.clone();
            let note = move || called.borrow_mut().push(index);
            deferred = add(&world, deferred, *link, note, &later);
        }
        if fired_after >= links.len() {
            fire(&resolver, first);
        }
        let watch = world.watch(deferred);
        world.settle();
        loop {
            let next = later.borrow_mut().pop();
            let Some((resolver, result)) = next else { break };
            fire(&resolver, result);
            world.settle();
        }
        let (result, order) = expected(&links, first);
        prop_assert_eq!(watch.take().expect("a result").ok(), result);
        prop_assert_eq!(called.take(), order);
        prop_assert!(world.unhandled().is_empty());
    }
}
