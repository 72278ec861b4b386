//! What the pool promises, of any database.

mod fake;
mod interaction;
mod shutdown;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use fake::Fake;
use ropewalk::deferred::gather_results;
use ropewalk::failure::Cancelled;
use ropewalk::{Failure, Handle};
use ropewalk_enterprise::{
    ConnectionPool, Database, DatabaseError, PoolError, PoolOptions, Session,
};

fn one_connection() -> PoolOptions {
    PoolOptions {
        min: 1,
        max: 1,
        ..PoolOptions::default()
    }
}

/// On real threads: as many work at once as may, and never more.
#[test]
fn as_many_work_at_once_as_there_may_be_connections() {
    const MAX: usize = 5;
    let (fake, most) = (Fake::default(), Arc::new(AtomicUsize::new(0)));
    let (database, seen) = (fake.clone(), Arc::clone(&most));
    let mut reactor = ropewalk::reactor().unwrap();
    let done = reactor.run_main(move |reactor| async move {
        let pool = ConnectionPool::new(&reactor, database);
        let (all, now) = (Arc::new(Barrier::new(MAX)), Arc::new(AtomicUsize::new(0)));
        let works = (0..4 * MAX).map(|_| {
            let (all, now, most) = (Arc::clone(&all), Arc::clone(&now), Arc::clone(&seen));
            pool.run_with_connection(move |_| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                all.wait();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        gather_results(&reactor, works.collect::<Vec<_>>()).await?;
        assert!(pool.running() == 0 && pool.waiting() == 0);
        Ok::<(), Failure>(())
    });
    done.unwrap();
    assert_eq!(most.load(Ordering::SeqCst), MAX);
    let state = fake.state();
    assert!(state.most_open <= MAX, "{}", state.most_open);
    assert_eq!(state.open, 0, "all are closed at the end");
}

#[ropewalk::test(seeds = 20)]
async fn connections_are_opened_when_needed_and_used_again(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let pool = ConnectionPool::new(&reactor, fake.clone());
    assert_eq!(fake.state().opened, 0);
    for _ in 0..5 {
        assert_eq!(pool.run_operation("INSERT", (1, "two")).await?, 2);
        assert!(pool.run_query("SELECT", ()).await?.is_empty());
    }
    assert_eq!(fake.state().opened, 1);
    let many = (0..20).map(|_| pool.run_query("SELECT", ()));
    gather_results(&reactor, many.collect::<Vec<_>>()).await?;
    assert!(fake.state().open <= 3, "what stays open is the minimum");
    pool.close().await?;
    assert_eq!(fake.state().open, 0);
    Ok(())
}

#[ropewalk::test(seeds = 20)]
async fn work_begins_in_the_order_in_which_it_was_asked_for(
    reactor: Handle,
) -> Result<(), Failure> {
    let fake = Fake::default();
    let pool = ConnectionPool::with_options(&reactor, fake.clone(), one_connection());
    let names = ["one", "two", "three", "four"];
    let all = names.map(|name| pool.run_operation(name, ()));
    assert_eq!((pool.running(), pool.waiting()), (1, 3));
    gather_results(&reactor, all).await?;
    assert_eq!(fake.log()[1..], names);
    pool.close().await
}

#[ropewalk::test]
async fn more_than_may_wait_is_refused_at_once(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let options = PoolOptions {
        queue: 2,
        ..one_connection()
    };
    let pool = ConnectionPool::with_options(&reactor, fake.clone(), options);
    let taken = ["one", "two", "three"].map(|sql| pool.run_query(sql, ()));
    let error = pool.run_query("four", ()).await.unwrap_err();
    assert_eq!(
        error.downcast_ref(),
        Some(&PoolError::QueueFull { limit: 2 })
    );
    assert!(error.to_string().contains("PoolOptions::queue"), "{error}");
    for work in taken {
        work.await?;
    }
    pool.run_query("five", ()).await?;
    assert_eq!(fake.log()[1..], ["one", "two", "three", "five"]);
    pool.close().await
}

#[ropewalk::test(seeds = 20)]
async fn cancelled_work_that_waits_never_begins(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let pool = ConnectionPool::with_options(&reactor, fake.clone(), one_connection());
    let first = pool.run_query("one", ());
    let second = pool.run_query("two", ());
    let third = pool.run_query("three", ());
    let gone = second.cancel().await.unwrap_err();
    assert!(gone.is::<Cancelled>());
    first.await?;
    third.await?;
    assert_eq!(fake.log(), ["open", "one", "three"]);
    pool.close().await
}

/// Its turn is over when its thread is free, not when it was cancelled.
#[test]
fn cancelled_work_that_has_begun_keeps_its_turn() {
    let mut reactor = ropewalk::reactor().unwrap();
    let fake = Fake::default();
    let database = fake.clone();
    let done = reactor.run_main(move |reactor| async move {
        let pool = ConnectionPool::with_options(&reactor, database, one_connection());
        let (begun, has_begun) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let work = pool.run_interaction(move |transaction| {
            begun.send(()).map_err(Failure::new)?;
            released.recv()?;
            transaction.execute("late", ())?;
            Ok(())
        });
        reactor
            .defer_to_thread(move || Ok(has_begun.recv()?))
            .await?;
        let gone = work.cancel().await.unwrap_err();
        assert!(gone.is::<Cancelled>());
        assert_eq!(pool.running(), 1);
        release.send(())?;
        pool.run_query("next", ()).await?;
        pool.close().await
    });
    done.unwrap();
    assert_eq!(
        fake.log(),
        ["open", "BEGIN", "late", "COMMIT", "next", "close"]
    );
}

#[ropewalk::test]
async fn a_dead_connection_is_replaced_before_work_begins(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let pool = ConnectionPool::new(&reactor, fake.clone());
    pool.run_query("one", ()).await?;
    fake.state().dead_up_to = 1;
    pool.run_query("two", ()).await?;
    assert_eq!(fake.log(), ["open", "one", "close", "open", "two"]);
    pool.close().await
}

#[ropewalk::test]
async fn work_that_failed_is_not_tried_again(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default().fails("one");
    let pool = ConnectionPool::new(&reactor, fake.clone());
    let error = pool.run_query("one", ()).await.unwrap_err();
    assert_eq!(error.to_string(), r#"cannot run "one": on purpose"#);
    pool.run_query("two", ()).await?;
    assert_eq!(fake.log(), ["open", "one", "two"]);
    pool.close().await
}

#[ropewalk::test]
async fn a_database_that_cannot_be_opened_fails_the_work_alone(
    reactor: Handle,
) -> Result<(), Failure> {
    let fake = Fake::default().fails("open");
    let pool = ConnectionPool::with_options(&reactor, fake.clone(), one_connection());
    for _ in 0..3 {
        pool.run_query("one", ()).await.unwrap_err();
    }
    fake.state().failing.clear();
    pool.run_query("two", ()).await?;
    assert_eq!(fake.log(), ["open", "open", "open", "open", "two"]);
    pool.close().await
}

#[ropewalk::test]
async fn each_connection_begins_with_the_hook(reactor: Handle) -> Result<(), Failure> {
    let fake = Fake::default();
    let database = fake
        .clone()
        .on_open(|session| session.execute("hook", &[]).map(drop));
    let pool = ConnectionPool::new(&reactor, database);
    pool.run_query("one", ()).await?;
    assert_eq!(fake.log(), ["open", "hook", "one"]);
    pool.close().await?;

    let fake = Fake::default().fails("hook");
    let database = fake
        .clone()
        .on_open(|session| session.execute("hook", &[]).map(drop));
    let pool = ConnectionPool::new(&reactor, database);
    let error = pool.run_query("one", ()).await.unwrap_err();
    assert!(error.is::<DatabaseError>());
    assert_eq!(fake.log(), ["open", "hook", "close"]);
    pool.close().await
}
