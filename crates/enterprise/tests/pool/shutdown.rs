//! The end of a pool.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;

use ropewalk::{Failure, Handle, Phase, sim};
use ropewalk_enterprise::{ConnectionPool, PoolError};

use crate::fake::Fake;
use crate::one_connection;

/// In the before phase it still works, in the during phase it ends, after it all is closed.
#[test]
fn the_reactor_waits_for_work_and_then_for_the_connections_to_close() {
    for seed in 0..20 {
        let (fake, results) = (Fake::default(), Rc::new(RefCell::new(Vec::new())));
        let log = fake.clone();
        let ran = sim::run(seed, |reactor| {
            let pool = ConnectionPool::with_options(&reactor.handle(), fake, one_connection());
            let run = move |sql: &'static str| {
                let results = Rc::clone(&results);
                let query = pool.run_query(sql, ());
                query.on_result(move |result| {
                    result.unwrap();
                    results.borrow_mut().push(sql);
                });
            };
            let late = run.clone();
            reactor.add_trigger(Phase::BeforeShutdown, move |_: &Handle| late("before"));
            reactor.call_when_running(move |reactor| {
                run("one");
                run("two");
                reactor.stop().unwrap();
            });
            let log = log.clone();
            reactor.add_trigger(Phase::AfterShutdown, move |_: &Handle| {
                assert_eq!(log.log(), ["open", "one", "two", "before", "close"]);
                log.state().log.push("after".to_owned());
            });
        });
        ran.unwrap();
        assert_eq!(log.log().last().unwrap(), "after");
    }
}

#[test]
fn so_it_does_on_real_threads() {
    let fake = Fake::default();
    let (begun, has_begun) = mpsc::channel();
    let mut reactor = ropewalk::reactor().unwrap();
    let pool = ConnectionPool::with_options(&reactor, fake.clone(), one_connection());
    let work = pool.run_interaction(move |transaction| {
        begun.send(()).map_err(Failure::new)?;
        Ok(transaction.execute("one", ())?)
    });
    let after = pool.run_operation("two", ());
    let ended = Rc::new(RefCell::new(Vec::new()));
    for deferred in [work, after] {
        let ended = Rc::clone(&ended);
        deferred.on_result(move |result| ended.borrow_mut().push(result.is_ok()));
    }
    reactor.call_when_running(move |reactor| {
        let handle = reactor.clone();
        let begun = reactor.defer_to_thread(move || Ok(has_begun.recv()?));
        begun.on_result(move |_| handle.stop().unwrap());
    });
    reactor.run().unwrap();
    assert_eq!(*ended.borrow(), [true, true]);
    assert_eq!(
        fake.log(),
        ["open", "BEGIN", "one", "COMMIT", "two", "close"]
    );
}

#[ropewalk::test(seeds = 20)]
async fn closing_does_what_was_taken_and_takes_no_more(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let pool = ConnectionPool::with_options(&reactor, fake.clone(), one_connection());
    let (one, two) = (pool.run_query("one", ()), pool.run_query("two", ()));
    let (first, second) = (pool.close(), pool.close());
    let refused = pool.run_query("three", ()).await.unwrap_err();
    assert_eq!(refused.downcast_ref(), Some(&PoolError::Closed));
    first.await?;
    assert!(one.is_fired() && two.is_fired());
    assert_eq!(fake.log(), ["open", "one", "two", "close"]);
    second.await?;
    pool.close().await?;
    pool.run_query("four", ()).await.unwrap_err();
    Ok(())
}

#[ropewalk::test(seeds = 20)]
async fn a_dropped_pool_does_its_work_and_closes(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let pool = ConnectionPool::new(&reactor, fake.clone());
    let one = pool.run_query("one", ());
    drop(pool);
    one.await?;
    let turns = reactor.defer_to_thread(|| Ok(()));
    turns.await?;
    ropewalk::timer::sleep(&reactor, std::time::Duration::from_secs(1)).await?;
    assert_eq!(fake.log(), ["open", "one", "close"]);
    Ok(())
}
