//! What is kept on disk, and what is said of a file that will not do.

use std::fs;
use std::rc::Rc;

use ropewalk::enterprise::Sqlite;
use ropewalk::sim::SimDriver;
use ropewalk::{Failure, Handle, Reactor};

use super::super::hall::{Hall, Message};
use super::super::journal::{Batch, Journal, Lock};
use crate::scratch::Scratch;

fn message(seq: u64, key: Option<&str>, text: &str) -> Message {
    Message {
        seq,
        key: key.map(str::to_owned),
        name: "ann".to_owned(),
        text: text.to_owned(),
        at: 1_000 + seq,
    }
}

fn batch(messages: impl IntoIterator<Item = (i64, Message)>) -> Batch {
    let rooms = [(1, ("lobby".to_owned(), "id".to_owned()))];
    Batch {
        rooms: rooms.into(),
        messages: messages.into_iter().collect(),
        ..Batch::default()
    }
}

fn run<F>(main: impl FnOnce(Handle) -> F + 'static) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + 'static,
{
    let done = Reactor::new(SimDriver::alone(1)).run_main(main);
    done.map(Option::unwrap_or_default)
}

#[test]
fn what_was_kept_is_there_again_and_what_was_forgotten_is_not() {
    run(|reactor| async move {
        let database = Sqlite::in_memory()?;
        let journal = Journal::of(&reactor, database.clone());
        journal.load().await?;
        let said = (1..=5).map(|seq| (1, message(seq, (seq == 4).then_some("k"), "grüße")));
        journal.keep(batch(said)).await?;
        let forgotten = Batch {
            pruned: [(1, 2)].into(),
            ..Batch::default()
        };
        journal.keep(forgotten).await?;
        journal.close().await?;
        let journal = Rc::new(Journal::of(&reactor, database));
        let kept = journal.load().await?;
        let hall = Hall::closed();
        hall.open(Rc::clone(&journal), kept);
        let found = hall.look("lobby", |room| {
            let messages = room
                .after(0)
                .messages
                .into_iter()
                .cloned()
                .collect::<Vec<_>>();
            (messages, room.id.clone(), room.last)
        });
        let wanted = (3..=5).map(|seq| message(seq, (seq == 4).then_some("k"), "grüße"));
        assert_eq!(found, Some((wanted.collect(), "id".to_owned(), 5)));
        journal.close().await
    })
    .unwrap();
}

#[test]
fn a_batch_is_kept_whole_or_not_at_all_and_a_key_once() {
    run(|reactor| async move {
        let journal = Journal::of(&reactor, Sqlite::in_memory()?);
        journal.load().await?;
        journal
            .keep(batch([(1, message(1, Some("k"), "first"))]))
            .await?;
        let twice = batch([
            (1, message(2, None, "other")),
            (1, message(3, Some("k"), "again")),
        ]);
        let error = journal.keep(twice).await.unwrap_err();
        assert!(error.to_string().contains("UNIQUE"), "{error}");
        let kept = journal.load().await?;
        assert_eq!(kept.rooms[0].last, 1);
        journal.close().await
    })
    .unwrap();
}

#[test]
fn a_file_that_will_not_do_is_named_with_the_reason() {
    let scratch = Scratch::new();
    let (text, folder, other) = (
        scratch.path("text"),
        scratch.path("no/such"),
        scratch.path("other"),
    );
    fs::write(&text, "not a database ".repeat(100)).unwrap();
    run({
        let other = other.clone();
        |reactor| async move {
            let pool = ropewalk::enterprise::ConnectionPool::new(&reactor, Sqlite::new(other));
            pool.run_operation("CREATE TABLE theirs (x)", ()).await?;
            pool.close().await
        }
    })
    .unwrap();
    for (path, why) in [
        (text, "not a database"),
        (folder, "no such folder"),
        (other, "another program's"),
        (scratch.path(""), "it is a folder"),
    ] {
        let checked = Journal::check(&path).unwrap_err().to_string();
        assert!(checked.contains(why), "{checked}");
        let loaded = run({
            let path = path.clone();
            |reactor| async move { Journal::new(&reactor, &path).load().await.map(drop) }
        });
        let loaded = loaded.unwrap_err().to_string();
        assert!(loaded.contains(&*path.to_string_lossy()), "{loaded}");
    }
    let new = scratch.path("new");
    assert!(
        Journal::check(&new).is_ok() && !new.exists(),
        "a check makes nothing"
    );
}

#[test]
fn what_others_wrote_into_the_file_is_not_believed() {
    let kept = |change: &'static str| {
        let kept = Rc::new(std::cell::RefCell::new(None));
        let found = Rc::clone(&kept);
        let done = run(move |reactor| async move {
            let database = Sqlite::in_memory()?;
            let journal = Journal::of(&reactor, database.clone());
            journal.load().await?;
            journal.keep(batch([(1, message(1, None, "hi"))])).await?;
            journal.close().await?;
            let pool = ropewalk::enterprise::ConnectionPool::new(&reactor, database.clone());
            pool.run_operation(change, ()).await?;
            pool.close().await?;
            let journal = Journal::of(&reactor, database);
            let rooms = journal.load().await?.rooms;
            found.replace(rooms[0].newest().map(|message| message.at));
            journal.close().await
        });
        done.map(|()| kept.take())
            .map_err(|error| error.to_string())
    };
    assert_eq!(kept("UPDATE message SET at = -1"), Ok(Some(0)));
    let latest = Ok(Some(8_640_000_000_000_000));
    assert_eq!(kept("UPDATE message SET at = 9223372036854775807"), latest);
    let error = kept("UPDATE message SET seq = -1").unwrap_err();
    assert!(error.contains("without a number"), "{error}");
    let error = kept("PRAGMA user_version = 2").unwrap_err();
    assert!(error.contains("newer ropewalk"), "{error}");
}

#[test]
fn one_chat_at_a_time_has_a_file() {
    let scratch = Scratch::new();
    let path = scratch.path("history");
    let lock = Lock::take(&path).unwrap();
    let error = Lock::take(&path).map(drop).unwrap_err().to_string();
    assert!(error.contains("another chat"), "{error}");
    drop(lock);
    assert!(Lock::take(&path).is_ok());
}
