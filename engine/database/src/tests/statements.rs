use super::{NOW, database, playground};
use crate::{Arg, DatabaseError, Kind, Query, Rows, args};
use onward_core::{OrganisationId, Shard, Timestamp, Value};
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn every_type_comes_back_through_arguments_and_through_lists() {
    let database = database().await;
    let mut tx = database.begin(NOW).await.unwrap();
    let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
    let value = json!({ "text": "é\"\\\n\u{1}\0😀", "n": [1, 2.5, null] });
    let cells = || {
        let mut cells = args![true, -7_i16, i64::MIN, u32::MAX, 2.5_f64, "é\"\\\n\u{1}\0😀", vec![0_u8, 255], [7_u8; 16], [9_u8; 32], id, OrganisationId(id)];
        cells.push(Timestamp::from_millis(-5));
        cells.push(Shard(255));
        cells.push(&value);
        cells.push(None::<i64>);
        cells.push(Some(String::from("some")));
        cells
    };
    let direct = "SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e, $6 AS f, $7 AS g, $8 AS h, $9 AS i, $10 AS j, $11 AS k, $12 AS l, $13 AS m, $14 AS n,
        $15 AS o, $16 AS p";
    let listed =
        "SELECT r.* FROM {$1: a boolean, b bigint, c bigint, d bigint, e double, f text, g bytes, h bytes, i bytes, j uuid, k uuid, l bigint, m bigint,
        n json, o bigint, p text} AS r";
    let mut rows = vec![tx.fetch_one(direct, cells()).await.unwrap()];
    for length in 0..5 {
        let read = tx.fetch_all(listed, args![(0..length).map(|_| cells()).collect::<Rows>()]).await.unwrap();
        assert_eq!(read.len(), length);
        rows.extend(read);
    }
    for row in rows {
        assert!(row.get::<bool>("a").unwrap());
        assert_eq!((row.get::<i16>("b").unwrap(), row.get::<i64>("c").unwrap(), row.get::<u32>("d").unwrap()), (-7, i64::MIN, u32::MAX));
        assert!((row.get::<f64>("e").unwrap() - 2.5).abs() < f64::EPSILON);
        assert_eq!(row.get::<String>("f").unwrap(), "é\"\\\n\u{1}\u{FFFD}😀", "no NUL");
        assert_eq!((row.get::<Vec<u8>>("g").unwrap(), row.get::<[u8; 16]>("h").unwrap(), row.get::<[u8; 32]>("i").unwrap()), (vec![0, 255], [7; 16], [9; 32]));
        assert_eq!((row.get::<Uuid>("j").unwrap(), row.get::<OrganisationId>("k").unwrap()), (id, OrganisationId(id)));
        assert_eq!((row.get::<Timestamp>("l").unwrap(), row.get::<Shard>("m").unwrap()), (Timestamp::from_millis(-5), Shard(255)));
        assert_eq!(row.get::<Value>("n").unwrap(), value);
        assert_eq!((row.get::<Option<i64>>("o").unwrap(), row.get::<Option<String>>("p").unwrap()), (None, Some("some".into())));
        assert_eq!(row.get::<Value>("o").unwrap(), Value::Null);
    }
}

#[test]
fn a_null_keeps_its_kind() {
    let mut cells = args![None::<Uuid>, None::<&str>];
    cells.push(None::<Value>);
    assert_eq!(cells, crate::Args(vec![Arg::Null(Kind::Uuid), Arg::Null(Kind::Text), Arg::Null(Kind::Json)]));
}

#[tokio::test]
async fn what_cannot_be_read_names_its_column() {
    let database = database().await;
    let row = database.reader().fetch_one("SELECT NULL AS none, 70000 AS big, 'x' AS text, x'00' AS short", args![]).await.unwrap();
    let errors = [
        row.get::<i64>("none").unwrap_err(),
        row.get::<u16>("big").unwrap_err(),
        row.get::<i64>("text").unwrap_err(),
        row.get::<Uuid>("short").unwrap_err(),
        row.get::<[u8; 16]>("short").unwrap_err(),
        row.get::<Value>("text").unwrap_err(),
        row.get::<i64>("missing").unwrap_err(),
    ];
    for (error, column) in errors.into_iter().zip(["none", "big", "text", "short", "short", "text", "missing"]) {
        assert!(matches!(&error, DatabaseError::Column { column: of, .. } if of == column), "{error}");
    }
}

#[tokio::test]
async fn violations_say_what_was_violated() {
    let database = playground().await;
    let mut tx = database.begin(NOW).await.unwrap();
    let insert = "INSERT INTO things (id, name, n) VALUES ($1, $2, $3)";
    assert_eq!(tx.execute(insert, args![1_i64, "a", 1_i64]).await, Ok(1));
    // PostgreSQL takes nothing more after another refused statement, until a savepoint is gone back to.
    let twice = tx.attempt(insert, args![2_i64, "a", 1_i64]).await.unwrap_err();
    assert_eq!(twice, DatabaseError::UniqueViolation { table: "things".into(), columns: vec!["name".into()] });
    assert!(twice.is_unique_violation_of("things") && !twice.is_unique_violation_of("others"));
    let primary = tx.attempt(insert, args![1_i64, "b", 1_i64]).await.unwrap_err();
    assert_eq!(primary, DatabaseError::UniqueViolation { table: "things".into(), columns: vec!["id".into()] });
    for wrong in [args![3_i64, None::<&str>, 1_i64], args![3_i64, "c", 0_i64]] {
        assert!(matches!(tx.attempt(insert, wrong).await, Err(DatabaseError::ConstraintViolation(_))));
    }
    assert_eq!(tx.attempt(insert, args![4_i64, "d", 1_i64]).await, Ok(1));
    tx.commit().await.unwrap();
    assert_eq!(database.reader().fetch_all("SELECT id FROM things", args![]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn absent_is_no_error_until_a_row_is_demanded() {
    let database = playground().await;
    let mut reader = database.reader();
    assert!(reader.fetch_optional("SELECT id FROM things", args![]).await.unwrap().is_none());
    assert!(matches!(reader.fetch_one("SELECT id FROM things", args![]).await, Err(DatabaseError::NoRow)));
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let database = playground().await;
    let refused = database.reader().fetch_all("INSERT INTO things (name) VALUES ('a') RETURNING id", args![]).await;
    assert!(matches!(refused, Err(DatabaseError::Failed(_))), "{refused:?}");
    assert_eq!(count(&mut database.reader()).await, 0);
}

/// Written once, for both.
async fn count<Q: Query>(db: &mut Q) -> i64 {
    db.fetch_one("SELECT count(*) AS things FROM things", args![]).await.unwrap().get("things").unwrap()
}

#[tokio::test]
async fn a_snapshot_stays_on_its_moment() {
    let database = playground().await;
    let mut snapshot = database.reader().snapshot().await.unwrap();
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("INSERT INTO things (name) VALUES ('a')", args![]).await.unwrap();
    assert_eq!((count(&mut tx).await, count(&mut database.reader()).await), (1, 0));
    tx.commit().await.unwrap();
    assert_eq!((count(&mut snapshot).await, count(&mut database.reader()).await), (0, 1));
    drop(snapshot);
    assert_eq!(count(&mut database.reader().snapshot().await.unwrap()).await, 1);
}

#[tokio::test]
async fn more_readers_than_connections_take_turns() {
    let database = playground().await;
    let reads = (0..50).map(|_| {
        let mut reader = database.reader();
        async move { count(&mut reader).await }
    });
    assert_eq!(futures_util::future::join_all(reads).await, vec![0; 50]);
}
