//! All or nothing.

use ropewalk::failure::Panicked;
use ropewalk::{Failure, Handle};
use ropewalk_enterprise::{ConnectionPool, DatabaseError, Transaction};

use crate::fake::Fake;

/// Runs an interaction on a pool of its own, and another statement after it; gives what was done and how it ended.
async fn interact(
    reactor: Handle,
    fake: Fake,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<u64, Failure> + Send + 'static,
) -> (Vec<String>, Result<u64, Failure>) {
    let pool = ConnectionPool::new(&reactor, fake.clone());
    let result = pool.run_interaction(work).await;
    pool.run_query("after", ()).await.unwrap();
    let log = fake.log();
    pool.close().await.unwrap();
    (log, result)
}

#[ropewalk::test]
async fn it_is_committed_when_the_function_returns(reactor: Handle) {
    let ended = interact(reactor, Fake::default(), |transaction| {
        transaction.query("one", ())?;
        Ok(transaction.execute("two", [1])?)
    });
    let (log, result) = ended.await;
    assert_eq!(log, ["open", "BEGIN", "one", "two", "COMMIT", "after"]);
    assert_eq!(result.unwrap(), 1);
}

#[ropewalk::test]
async fn it_is_rolled_back_when_the_function_fails(reactor: Handle) {
    let ended = interact(reactor, Fake::default(), |_| Err(Failure::message("no")));
    let (log, result) = ended.await;
    assert_eq!(log, ["open", "BEGIN", "ROLLBACK", "after"]);
    assert_eq!(result.unwrap_err().to_string(), "no");
}

#[ropewalk::test]
async fn it_is_rolled_back_when_the_function_panics(reactor: Handle) {
    let (log, result) = interact(reactor, Fake::default(), |_| panic!("on purpose")).await;
    assert_eq!(log, ["open", "BEGIN", "ROLLBACK", "after"]);
    let failure = result.unwrap_err();
    assert!(
        failure.is::<Panicked>() && failure.to_string().contains("on purpose"),
        "{failure}"
    );
}

#[ropewalk::test]
async fn it_is_rolled_back_when_it_cannot_be_committed(reactor: Handle) {
    let (log, result) = interact(reactor, Fake::default().fails("COMMIT"), |_| Ok(1)).await;
    assert_eq!(log, ["open", "BEGIN", "COMMIT", "ROLLBACK", "after"]);
    assert!(result.unwrap_err().to_string().contains("COMMIT"));
}

#[ropewalk::test]
async fn a_connection_that_cannot_roll_back_is_closed(reactor: Handle) {
    let fake = Fake::default().fails("ROLLBACK");
    let (log, result) = interact(reactor, fake, |_| Err(Failure::message("no"))).await;
    assert_eq!(log, ["open", "BEGIN", "ROLLBACK", "close", "open", "after"]);
    assert_eq!(
        result.unwrap_err().to_string(),
        "no",
        "the first failure is told"
    );
}

#[ropewalk::test]
async fn one_that_cannot_begin_runs_nothing(reactor: Handle) {
    let fake = Fake::default().fails("BEGIN");
    let (log, result) = interact(reactor, fake, |_| panic!("it began")).await;
    assert_eq!(log, ["open", "BEGIN", "close", "open", "after"]);
    result.unwrap_err();
}

#[ropewalk::test]
async fn it_is_ended_by_the_pool_alone(reactor: Handle) {
    let ended = interact(reactor.clone(), Fake::default(), |transaction| {
        Ok(transaction.execute(" commit", ())?)
    });
    let (log, result) = ended.await;
    assert_eq!(log, ["open", "BEGIN", "ROLLBACK", "after"]);
    let failure = result.unwrap_err();
    assert!(
        failure.is::<DatabaseError>() && failure.to_string().contains("\" commit\""),
        "{failure}"
    );

    let pool = ConnectionPool::new(&reactor, Fake::default());
    pool.run_query("BEGIN", ()).await.unwrap_err();
    pool.run_operation("START TRANSACTION", ())
        .await
        .unwrap_err();
    pool.close().await.unwrap();
}

#[ropewalk::test]
async fn what_a_function_leaves_open_is_rolled_back(reactor: Handle) {
    let fake = Fake::default();
    let pool = ConnectionPool::new(&reactor, fake.clone());
    let free = pool.run_with_connection(|_| -> Result<(), Failure> { panic!("on purpose") });
    assert!(free.await.unwrap_err().is::<Panicked>());
    pool.run_with_connection(|_| Ok(())).await.unwrap();
    assert_eq!(fake.log(), ["open", "ROLLBACK", "ROLLBACK"]);
    pool.close().await.unwrap();
}
