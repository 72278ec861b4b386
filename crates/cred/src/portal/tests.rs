use std::cell::Cell;
use std::sync::atomic::Ordering;

use ropewalk_testing::Clock;

use super::*;
use crate::password_hash::tests::{VERIFIED, hash};
use crate::{AnonymousChecker, PasswordChecker, PasswordTable, TokenChecker};

type Greeting = fn(&Handle, AvatarId) -> Deferred<String>;

fn greet(reactor: &Handle, id: AvatarId) -> Deferred<String> {
    Deferred::succeed(reactor, format!("hello {id}"))
}

fn portal() -> Portal<Greeting> {
    let table = PasswordTable::new().with_user("ann", hash("tea"));
    Portal::new(greet as Greeting)
        .with_checker(PasswordChecker::new(table))
        .with_checker(TokenChecker::new().with_token("t0ken", "bob"))
        .with_checker(AnonymousChecker)
}

/// What comes of a login, at once.
fn login(
    clock: &mut Clock,
    portal: &Portal<Greeting>,
    peer: u8,
    credentials: Credentials,
) -> Result<String, CredError> {
    let told = Rc::new(Cell::new(None));
    let result = Rc::clone(&told);
    let peer = IpAddr::from([192, 0, 2, peer]);
    portal
        .login(clock, Some(peer), credentials)
        .on_result(move |answer| result.set(Some(answer)));
    clock.settle();
    told.take()
        .expect("jobs run at once")
        .map_err(|failure| *failure.downcast_ref().expect("it is a CredError"))
}

#[test]
fn each_kind_of_credentials_has_its_checker() {
    let (mut clock, portal) = (Clock::new(), portal());
    let mut ask = |credentials| login(&mut clock, &portal, 1, credentials);
    assert_eq!(
        ask(Credentials::password("ann", "tea")),
        Ok("hello ann".into())
    );
    assert_eq!(ask(Credentials::token("t0ken")), Ok("hello bob".into()));
    assert_eq!(ask(Credentials::Anonymous), Ok("hello anonymous".into()));
    assert_eq!(
        ask(Credentials::password("ann", "")),
        Err(CredError::Unauthorized)
    );
    assert_eq!(
        ask(Credentials::token("token")),
        Err(CredError::Unauthorized)
    );
    assert_eq!(
        ask(Credentials::Other(Box::new(1))),
        Err(CredError::Unsupported)
    );
    let long = "x".repeat(2000);
    assert_eq!(
        ask(Credentials::password("ann", long)),
        Err(CredError::Unauthorized)
    );
}

/// All that counts verifications, in one test, as the counter is the process's.
#[test]
fn a_name_that_nobody_has_costs_what_a_wrong_password_does() {
    let (mut clock, portal) = (Clock::new(), portal());
    for (name, password) in [("ann", "coffee"), ("nobody", "coffee"), ("nobody", "tea")] {
        let before = VERIFIED.load(Ordering::SeqCst);
        let answer = login(
            &mut clock,
            &portal,
            1,
            Credentials::password(name, password),
        );
        assert_eq!(answer, Err(CredError::Unauthorized), "{name}");
        assert!(VERIFIED.load(Ordering::SeqCst) > before, "{name}");
    }
}

#[test]
fn who_fails_often_waits_and_others_do_not() {
    let (mut clock, portal) = (Clock::new(), portal());
    clock.advance(Duration::from_secs(100));
    let wrong = || Credentials::token("guess");
    for _ in 0..10 {
        assert_eq!(
            login(&mut clock, &portal, 1, wrong()),
            Err(CredError::Unauthorized)
        );
    }
    let wait = Err(CredError::TooManyFailures(Duration::from_secs(6)));
    assert_eq!(login(&mut clock, &portal, 1, wrong()), wait);
    assert_eq!(
        login(&mut clock, &portal, 1, Credentials::token("t0ken")),
        wait,
        "nor by luck"
    );
    assert!(login(&mut clock, &portal, 2, Credentials::token("t0ken")).is_ok());
    clock.advance(Duration::from_secs(6));
    assert!(login(&mut clock, &portal, 1, Credentials::token("t0ken")).is_ok());
}

#[test]
fn one_user_cannot_be_guessed_from_many_addresses() {
    let (mut clock, portal) = (Clock::new(), portal());
    clock.advance(Duration::from_secs(100));
    for peer in 0..30 {
        let answer = login(&mut clock, &portal, peer, Credentials::password("ann", "x"));
        assert_eq!(answer, Err(CredError::Unauthorized));
    }
    let answer = login(&mut clock, &portal, 99, Credentials::password("ann", "tea"));
    assert_eq!(
        answer,
        Err(CredError::TooManyFailures(Duration::from_secs(2)))
    );
    let answer = login(&mut clock, &portal, 99, Credentials::password("bob", "tea"));
    assert_eq!(answer, Err(CredError::Unauthorized));
}

#[test]
fn successes_are_not_counted_and_attempts_given_up_are() {
    let (mut clock, portal) = (Clock::new(), portal());
    clock.advance(Duration::from_secs(100));
    for _ in 0..40 {
        assert!(login(&mut clock, &portal, 1, Credentials::password("ann", "tea")).is_ok());
    }
    let peer = Some(IpAddr::from([192, 0, 2, 1]));
    for _ in 0..10 {
        let attempt = portal.login(&clock, peer, Credentials::password("ann", "x"));
        attempt.cancel().on_result(drop);
        clock.settle();
    }
    let answer = login(&mut clock, &portal, 1, Credentials::Anonymous);
    assert!(
        matches!(answer, Err(CredError::TooManyFailures(_))),
        "{answer:?}"
    );
}

#[test]
fn many_at_once_gain_nothing_and_some_are_turned_away() {
    let mut clock = Clock::new();
    clock.advance(Duration::from_secs(100));
    let loose = RateLimit::new(1000, Duration::from_secs(1));
    let busy = portal().with_failure_limits(loose, RateLimit::new(1000, Duration::from_secs(1)));
    for (portal, most, turned_away) in [
        (
            portal(),
            10,
            CredError::TooManyFailures(Duration::from_secs(6)),
        ),
        (busy, 64, CredError::Busy),
    ] {
        let (wrong, others) = (Rc::new(Cell::new(0)), Rc::new(RefCell::new(Vec::new())));
        for _ in 0..most + 3 {
            let (wrong, others) = (Rc::clone(&wrong), Rc::clone(&others));
            let login = portal.login(&clock, None, Credentials::password("ann", "x"));
            login.on_result(
                move |answer| match answer.unwrap_err().downcast_ref().unwrap() {
                    CredError::Unauthorized => wrong.set(wrong.get() + 1),
                    other => others.borrow_mut().push(*other),
                },
            );
        }
        clock.settle();
        assert_eq!(wrong.get(), most);
        assert_eq!(*others.borrow(), [turned_away; 3]);
    }
}

#[test]
fn a_file_is_read_anew_and_kept_when_it_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    std::fs::write(&path, format!("ann:{}", hash("old"))).unwrap();
    let checker = PasswordChecker::from_file(&path).unwrap();
    let portal = Portal::new(greet as Greeting).with_checker(checker.clone());
    let mut clock = Clock::new();
    for (content, password) in [
        (format!("ann:{}", hash("new")), "new"),
        ("broken".into(), "new"),
    ] {
        std::fs::write(&path, content).unwrap();
        checker.reload(&clock).on_result(drop);
        clock.settle();
        assert!(
            login(
                &mut clock,
                &portal,
                1,
                Credentials::password("ann", password)
            )
            .is_ok()
        );
    }
}
