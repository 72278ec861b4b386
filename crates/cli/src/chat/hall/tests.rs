//! The hall without a network.

use ropewalk::sim::SimDriver;
use ropewalk::{Failure, Reactor};

use super::*;

/// Writes down what it hears.
#[derive(Clone, Default)]
struct Lines(Rc<RefCell<Vec<Bytes>>>);

impl Ear for Lines {
    fn hear(&self, line: &Bytes) {
        self.0.borrow_mut().push(line.clone());
    }
}

impl Lines {
    fn heard(&self) -> Vec<String> {
        let lines = self.0.take();
        let text = |line: &Bytes| String::from_utf8_lossy(line).into_owned();
        lines.iter().map(text).collect()
    }
}

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes()).unwrap()
}

/// A hall, and a reactor for it.
fn hall() -> (Hall, Reactor) {
    (Hall::in_memory(), Reactor::new(SimDriver::alone(1)))
}

fn knock(hall: &(Hall, Reactor), who: &str, ear: &Lines) -> Result<Guest, NoEntry> {
    let seat = Seat::Lines(Rc::new(ear.clone()));
    hall.0
        .enter(&hall.1.handle(), &Address::Stdio, name(who), None, seat)
}

fn enter(hall: &(Hall, Reactor), who: &str) -> (Guest, Lines) {
    let ear = Lines::default();
    let guest = knock(hall, who, &ear).expect("the name is free");
    guest.join(&name(LOBBY)).expect("there is room");
    (guest, ear)
}

#[test]
fn all_others_hear_what_is_said_who_comes_and_who_goes() {
    let hall = hall();
    let (ann, at_ann) = enter(&hall, "ann");
    let (bob, at_bob) = enter(&hall, "bob");
    assert_eq!(at_ann.heard(), ["* bob joined\n"]);
    ann.say("hi".to_owned());
    assert_eq!(
        (at_ann.heard(), at_bob.heard()),
        (vec![], vec!["ann: hi\n".to_owned()])
    );
    bob.leave("was dropped");
    drop(ann);
    assert_eq!(at_ann.heard(), ["* bob was dropped\n"]);
    assert_eq!(hall.0.count(LOBBY), 0);
}

#[test]
fn one_allocation_reaches_all() {
    let hall = hall();
    let (ann, _) = enter(&hall, "ann");
    let others: Vec<_> = ["b", "c", "d"].map(|name| enter(&hall, name)).into();
    others.iter().for_each(|(_, ear)| drop(ear.heard()));
    ann.say("the same".to_owned());
    let place = |(_, ear): &(Guest, Lines)| ear.0.borrow()[0].as_ptr();
    let places: Vec<_> = others.iter().map(place).collect();
    assert!(places.iter().all(|place| *place == places[0]));
}

#[test]
fn a_name_is_taken_once_and_free_again_later() {
    let hall = hall();
    let (ann, _) = enter(&hall, "Ann");
    assert_eq!(
        knock(&hall, "aNN", &Lines::default()).map(drop),
        Err(NoEntry::Taken)
    );
    drop(ann);
    let (_ann, _) = enter(&hall, "aNN");
    assert_eq!(hall.0.who(LOBBY), "1 here: aNN");
}

#[test]
fn a_closed_hall_says_goodbye_once() {
    let hall = hall();
    let (ann, at_ann) = enter(&hall, "ann");
    let (_bob, at_bob) = enter(&hall, "bob");
    at_ann.heard();
    hall.0.close("goodbye");
    drop(ann);
    let goodbye = vec!["* goodbye\n".to_owned()];
    assert_eq!((at_ann.heard(), at_bob.heard()), (goodbye.clone(), goodbye));
    assert_eq!(
        knock(&hall, "eve", &at_ann).map(drop),
        Err(NoEntry::Closing)
    );
}

#[test]
fn a_long_history_loses_its_oldest_and_a_loud_room_loses_before_a_quiet_one() {
    let hall = hall();
    let ((ann, _), (bob, _)) = (enter(&hall, "ann"), enter(&hall, "bob"));
    bob.join(&name("quiet")).unwrap();
    bob.say("the only word".to_owned());
    let first = |room: &str| {
        let first = |room: &Room| room.after(0).messages[0].seq;
        hall.0.look(room, first).unwrap()
    };
    for _ in 0..10_005 {
        ann.say(String::new());
    }
    assert_eq!(first(LOBBY), 6);
    for _ in 0..4500 {
        ann.say("x".repeat(TEXT_BYTES));
    }
    assert!(first(LOBBY) > 10_005);
    let bytes = hall.0.look(LOBBY, Room::bytes).unwrap();
    assert!((31 << 20..=32 << 20).contains(&bytes), "{bytes}");
    assert_eq!(first("quiet"), 1);
}

#[test]
fn rooms_are_apart_and_gone_when_nobody_would_miss_them() {
    let hall = hall();
    let (ann, at_ann) = enter(&hall, "ann");
    let (bob, at_bob) = enter(&hall, "bob");
    bob.join(&name("Harbour")).unwrap();
    assert_eq!(at_ann.heard(), ["* bob joined\n", "* bob left\n"]);
    ann.say("not here".to_owned());
    bob.say("here".to_owned());
    assert!(at_bob.heard().is_empty() && at_ann.heard().is_empty());
    assert_eq!(hall.0.rooms(), "2 rooms: Harbour (1 here), lobby (1 here)");
    bob.join(&name("quay")).unwrap();
    bob.join(&name(LOBBY)).unwrap();
    let kept = hall.0.rooms();
    assert_eq!(
        kept, "2 rooms: Harbour (0 here), lobby (2 here)",
        "what was said there"
    );
}

#[test]
fn rooms_have_a_limit_for_an_address_and_for_all() {
    let hall = hall();
    let (ann, _) = enter(&hall, "ann");
    let mut made = 0;
    while ann.join(&name(&format!("room {made}"))).is_ok() {
        ann.say("to keep it".to_owned());
        made += 1;
    }
    assert_eq!(made, 20);
    assert_eq!(ann.join(&name("one more")), Err(NoRoom::TooOften));
    assert_eq!(
        ann.join(&name("room 3")).map(drop),
        Ok(()),
        "those that are there are open"
    );
}

#[test]
fn what_waits_to_be_kept_makes_all_wait_and_is_told_in_order() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let heard = reactor.run_main(|reactor| async move {
        let hall = Hall::closed();
        let waits = hall.busy(&reactor).expect("it is not open yet");
        let journal = Rc::new(Journal::of(
            &reactor,
            ropewalk::enterprise::Sqlite::in_memory()?,
        ));
        let kept = journal.load().await?;
        hall.open(Rc::clone(&journal), kept);
        waits.await?;
        let ear = Lines::default();
        let enter = |who: &str, ear: &Lines| {
            let seat = Seat::Lines(Rc::new(ear.clone()));
            let guest = hall
                .enter(&reactor, &Address::Stdio, name(who), None, seat)
                .unwrap();
            guest.join(&name(LOBBY)).unwrap();
            guest
        };
        let (_ann, bob) = (enter("ann", &ear), enter("bob", &Lines::default()));
        for number in 0..3000 {
            bob.say(format!("{number} {}", "x".repeat(100)));
        }
        bob.leave("left");
        assert_eq!(
            ear.heard(),
            ["* bob joined\n"],
            "nothing is told before it is kept"
        );
        hall.busy(&reactor).expect("much waits").await?;
        let heard = ear.heard();
        journal.close().await?;
        Ok::<_, Failure>([heard, ear.heard()].concat())
    });
    let heard = heard.unwrap().expect("it ran to its end");
    assert_eq!(heard.len(), 3001);
    assert_eq!(heard[3000], "* bob left\n");
    let numbers = heard.iter().filter_map(|line| line.split(' ').nth(1));
    let wanted = (0..3000).map(|number| number.to_string());
    assert!(numbers.take(3000).map(str::to_owned).eq(wanted));
}

#[test]
fn what_cannot_be_kept_is_refused_and_nobody_hears_it() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let heard = reactor.run_main(|reactor| async move {
        let hall = Hall::closed();
        let database = ropewalk::enterprise::Sqlite::in_memory()?;
        let journal = Rc::new(Journal::of(&reactor, database));
        hall.open(Rc::clone(&journal), journal.load().await?);
        let enter = |who: &str, ear: &Lines| {
            let seat = Seat::Lines(Rc::new(ear.clone()));
            let guest = hall.enter(&reactor, &Address::Stdio, name(who), None, seat);
            let guest = guest.unwrap();
            guest.join(&name(LOBBY)).unwrap();
            guest
        };
        let (at_ann, at_bob) = (Lines::default(), Lines::default());
        let (ann, _bob) = (enter("ann", &at_ann), enter("bob", &at_bob));
        journal.close().await?;
        ann.set_echo(true);
        ann.say("one".to_owned());
        ann.say("two".to_owned());
        hall.settled(&reactor).await?;
        let said = hall.look(LOBBY, Room::len);
        Ok::<_, Failure>((at_ann.heard(), at_bob.heard(), said))
    });
    let (at_ann, at_bob, said) = heard.unwrap().expect("it ran to its end");
    let refused = "* It could not be kept, so nobody got it.\n";
    assert_eq!(at_ann, ["* bob joined\n", refused, refused]);
    assert_eq!((at_bob.len(), said), (0, Some(0)));
}
