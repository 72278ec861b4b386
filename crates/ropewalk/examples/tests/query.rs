//! On databases in files of their own, with simulated threads.

use ropewalk::enterprise::{DatabaseError, Session};
use tempfile::TempDir;

use super::*;

/// Three rows in a file.
fn file() -> Result<(TempDir, Sqlite), Failure> {
    let folder = tempfile::tempdir()?;
    let database = Sqlite::new(folder.path().join("shop.db"));
    let mut session = database.open()?;
    session.execute("CREATE TABLE item (name, amount)", &[])?;
    let rows = "INSERT INTO item VALUES ('rope', 3), ('a' || char(9) || 'b', NULL), (x'0aff', 0.5)";
    session.execute(rows, &[])?;
    Ok((folder, database.read_only()))
}

#[ropewalk::test(seeds = 10)]
async fn each_row_is_a_line(reactor: Handle) -> Result<(), Failure> {
    let (_folder, database) = file()?;
    let lines = query(reactor, database, "SELECT * FROM item".to_owned()).await?;
    assert_eq!(lines, ["rope\t3", "a\\tb\tNULL", "x'0aff'\t0.5"]);
    Ok(())
}

#[ropewalk::test]
async fn a_text_is_never_taken_for_something_else(reactor: Handle) -> Result<(), Failure> {
    let (_folder, database) = file()?;
    let sql = "SELECT NULL, 'NULL', x'61', 'x''61''', '''NULL''', 'xerox'";
    let lines = query(reactor, database, sql.to_owned()).await?;
    let values: Vec<&str> = lines[0].split('\t').collect();
    assert_eq!(
        values,
        [
            "NULL",
            "'NULL'",
            "x'61'",
            "'x''61'''",
            "'''NULL'''",
            "xerox"
        ]
    );
    Ok(())
}

#[ropewalk::test]
async fn what_is_wrong_is_quoted(reactor: Handle) -> Result<(), Failure> {
    let (folder, database) = file()?;
    for sql in ["SELECT * FROM missing", "SELEKT 1", "DELETE FROM item"] {
        let asked = query(reactor.clone(), database.clone(), sql.to_owned());
        let failure = asked.await.unwrap_err();
        assert!(failure.is::<DatabaseError>());
        assert!(failure.to_string().contains(sql), "{failure}");
    }
    let missing = Sqlite::new(folder.path().join("missing.db")).read_only();
    let failure = query(reactor, missing, "SELECT 1".to_owned())
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("missing.db"), "{failure}");
    Ok(())
}
