//! What holds for PostgreSQL alone.

use super::{NOW, sqlite};
use crate::{
    Database, DatabaseError, Query, SystemIds, args,
    testing::{Partition, ThrowawayDatabase},
};
use onward_core::ports::{CommitError, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

async fn open(at: &ThrowawayDatabase) -> Result<Database, DatabaseError> {
    Database::open(at.url(), Arc::new(SystemIds::new())).await
}

async fn run(at: &ThrowawayDatabase, sql: &'static str) {
    let database = open(at).await.unwrap();
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute(sql, args![]).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await;
}

/// Columns by table.
type Schema = BTreeMap<String, BTreeSet<(String, bool)>>;

async fn schema<Q: Query>(db: &mut Q, sql: &'static str) -> Schema {
    let mut schema = Schema::new();
    for row in db.fetch_all(sql, args![]).await.unwrap() {
        let (table, column) = (row.get::<String>("t").unwrap(), row.get::<String>("c").unwrap());
        schema.entry(table).or_default().insert((column, row.get("required").unwrap()));
    }
    schema.retain(|table, _| !table.starts_with("_sqlx") && !table.starts_with("sqlite_"));
    schema
}

#[tokio::test]
async fn both_databases_have_the_same_tables_columns_and_indexes() {
    let postgres = ThrowawayDatabase::create().await;
    let (postgres, sqlite) = (open(&postgres).await.unwrap(), sqlite().await);
    let of_postgres = schema(
        &mut postgres.reader(),
        "SELECT table_name::text AS t, column_name::text AS c, is_nullable = 'NO' AS required FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .await;
    let of_sqlite = schema(
        &mut sqlite.reader(),
        "SELECT m.name AS t, c.name AS c, c.\"notnull\" OR c.pk > 0 AS required FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table'",
    )
    .await;
    assert!(of_sqlite.len() > 40, "{}", of_sqlite.len());
    assert_eq!(of_postgres, of_sqlite);
    let names = async |db: &Database, sql| -> BTreeSet<String> {
        db.reader().fetch_all(sql, args![]).await.unwrap().iter().map(|row| row.get("name").unwrap()).collect()
    };
    let in_postgres = names(
        &postgres,
        "SELECT indexname::text AS name FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key' AND tablename NOT LIKE '\\_sqlx%'",
    )
    .await;
    let in_sqlite = names(&sqlite, "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").await;
    assert_eq!(in_postgres, in_sqlite.into_iter().filter(|name| !name.ends_with("_key")).collect());
}

#[tokio::test]
async fn nodes_that_start_at_one_time_migrate_once() {
    let fresh = ThrowawayDatabase::empty().await;
    let opened = futures_util::future::join_all((0..4).map(|_| open(&fresh))).await;
    let migrations: Vec<i64> =
        futures_util::future::join_all(opened.into_iter().map(async |database| database.unwrap().report().await.unwrap().migration)).await;
    assert_eq!(migrations.iter().collect::<BTreeSet<_>>().len(), 1, "{migrations:?}");
    // And once more changes nothing.
    let leases = open(&fresh).await.unwrap().reader().fetch_one("SELECT count(*) AS n FROM leases", args![]).await.unwrap();
    assert_eq!(leases.get::<i64>("n").unwrap(), 256);
}

#[tokio::test]
async fn a_commit_is_synced_whatever_the_database_says() {
    let database = ThrowawayDatabase::create().await;
    run(&database, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$").await;
    let report = open(&database).await.unwrap().report().await.unwrap();
    assert!(report.durability.contains("synchronous_commit=on"), "{report:?}");
    assert!(report.database.starts_with("PostgreSQL ") && report.bytes > 0 && report.migration > 1, "{report:?}");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_refused() {
    let database = ThrowawayDatabase::create().await;
    run(&database, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$").await;
    let refused = open(&database).await.unwrap_err();
    assert!(matches!(&refused, DatabaseError::Unfit(reason) if reason.contains("primary")), "{refused}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let database = ThrowawayDatabase::create().await;
    run(&database, "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '\\x00', 0)").await;
    let refused = open(&database).await.unwrap_err();
    assert!(matches!(&refused, DatabaseError::Migration(reason) if reason.contains("9999")), "{refused}");
}

#[tokio::test]
async fn where_nothing_listens_is_said_without_the_password() {
    let refused = Database::open("postgres://user:secret@127.0.0.1:1/db", Arc::new(SystemIds::new())).await.unwrap_err().to_string();
    assert!(refused.contains("127.0.0.1:1") && refused.contains("check that PostgreSQL runs") && !refused.contains("secret"), "{refused}");
}

/// Ends every connection to the database but the one that asks.
async fn cut(at: &ThrowawayDatabase) {
    let other = open(at).await.unwrap();
    let sql = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let cut: i64 = other.begin(NOW).await.unwrap().fetch_one(sql, args![]).await.unwrap().get("n").unwrap();
    assert!(cut > 0);
}

#[tokio::test]
async fn a_cut_connection_is_made_anew_and_its_transaction_is_lost_whole() {
    let at = ThrowawayDatabase::create().await;
    let database = open(&at).await.unwrap();
    let epoch = async |database: &Database| -> i64 {
        database.begin(NOW).await.unwrap().fetch_one("SELECT epoch FROM leases WHERE shard = 0", args![]).await.unwrap().get("epoch").unwrap()
    };
    // Idle.
    cut(&at).await;
    assert_eq!(epoch(&database).await, 0);
    // In the middle of a transaction: the next statement says so, and the commit too.
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("UPDATE leases SET epoch = 7 WHERE shard = 0", args![]).await.unwrap();
    cut(&at).await;
    let lost = tx.execute("UPDATE leases SET epoch = 8 WHERE shard = 0", args![]).await.unwrap_err();
    assert!(lost.is_passing(), "{lost:?}");
    assert!(matches!(tx.execute("SELECT 1", args![]).await, Err(DatabaseError::TransactionLost(_))));
    assert!(tx.commit().await.is_err());
    assert_eq!(epoch(&database).await, 0);
    // While it commits: the outcome is unknown, and never taken for done.
    let mut tx = database.begin(NOW).await.unwrap();
    tx.execute("UPDATE leases SET epoch = 9 WHERE shard = 0", args![]).await.unwrap();
    cut(&at).await;
    let unknown = tx.commit().await.unwrap_err();
    assert!(matches!(unknown, onward_core::ports::CommitError::Unknown(_)), "{unknown:?}");
    assert_eq!(epoch(&database).await, 0);
}

#[tokio::test]
async fn lost_readers_are_replaced() {
    let at = ThrowawayDatabase::create().await;
    let database = open(&at).await.unwrap();
    let read = async || database.reader().fetch_one("SELECT count(*) AS n FROM leases", args![]).await;
    read().await.unwrap();
    cut(&at).await;
    assert_eq!(read().await.unwrap().get::<i64>("n").unwrap(), 256);
}

#[tokio::test]
async fn what_is_told_is_heard_once_it_is_committed_and_a_loss_is_noticed() {
    let at = ThrowawayDatabase::create().await;
    let (teller, hearer) = (open(&at).await.unwrap(), open(&at).await.unwrap());
    let mut listener = hearer.listen("onward").await.unwrap();
    let tell = async |payload: &str, commit: bool| {
        let mut tx = teller.begin(NOW).await.unwrap();
        tx.notify("onward", payload).await.unwrap();
        tx.notify("onward", payload).await.unwrap();
        if commit { tx.commit().await.unwrap() } else { tx.rollback().await }
    };
    tell("undone", false).await;
    tell("first", true).await;
    tell("second", true).await;
    assert_eq!(listener.next().await.unwrap().as_deref(), Some("first"));
    assert_eq!(listener.next().await.unwrap().as_deref(), Some("second"));
    cut(&at).await;
    assert_eq!(listener.next().await.unwrap(), None);
    tell("third", true).await;
    assert_eq!(listener.next().await.unwrap().as_deref(), Some("third"));
}

/// Two transactions that wait for each other: one gives way, whole, and the other goes on.
#[tokio::test]
async fn of_two_that_wait_for_each_other_one_gives_way() {
    let at = ThrowawayDatabase::create().await;
    let (one, other) = (open(&at).await.unwrap(), open(&at).await.unwrap());
    let [a, b] = [1_u128, 2].map(u128::to_be_bytes);
    let mut patient = one.begin(NOW).await.unwrap();
    patient.be_patient().await.unwrap();
    patient.lock(vec![a]).await.unwrap();
    let gives_way = async {
        let mut tx = other.begin(NOW).await.unwrap();
        tx.lock(vec![b]).await.unwrap();
        tx.savepoint().await.unwrap();
        assert_eq!(tx.lock(vec![a]).await, Err(DatabaseError::Contended));
        assert_eq!(tx.rollback_to().await, Err(DatabaseError::Contended), "what it locked before must go, too");
        assert_eq!(tx.fetch_all("SELECT 1 AS one", args![]).await.unwrap_err(), DatabaseError::Contended);
        assert_eq!(tx.commit().await, Err(CommitError::Failed(StoreError::Contended)));
    };
    let waits = async {
        let waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
        while one.reader().fetch_one(waiting, args![]).await.unwrap().get::<i64>("n").unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        patient.lock(vec![b]).await.unwrap();
        patient.commit().await.unwrap();
    };
    tokio::join!(gives_way, waits);
    other.begin(NOW).await.unwrap().rollback().await;
}

#[tokio::test]
async fn a_locked_number_makes_others_wait_until_the_transaction_ends() {
    let at = ThrowawayDatabase::create().await;
    let (one, other) = (open(&at).await.unwrap(), open(&at).await.unwrap());
    let mut first = one.begin(NOW).await.unwrap();
    first.lock([7, 3, 7].map(u128::to_be_bytes).into()).await.unwrap();
    let mut free = other.begin(NOW).await.unwrap();
    free.lock(vec![4_u128.to_be_bytes()]).await.unwrap();
    free.rollback().await;
    let waits = tokio::spawn(async move {
        let mut tx = other.begin(NOW).await.unwrap();
        tx.be_patient().await.unwrap();
        tx.lock(vec![3_u128.to_be_bytes()]).await.unwrap();
        tx.fetch_one("SELECT epoch FROM leases WHERE shard = 0", args![]).await.unwrap().get::<i64>("epoch").unwrap()
    });
    let waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
    while one.reader().fetch_one(waiting, args![]).await.unwrap().get::<i64>("n").unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    first.execute("UPDATE leases SET epoch = 5 WHERE shard = 0", args![]).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(waits.await.unwrap(), 5, "the second sees what the first has committed");
}

#[tokio::test]
async fn the_database_has_a_clock() {
    let at = ThrowawayDatabase::create().await;
    let postgres = open(&at).await.unwrap();
    let now = postgres.begin(NOW).await.unwrap().database_clock(NOW).await.unwrap();
    let ours = onward_core::ports::Clock::now(&crate::SystemClock::new());
    assert!(now != NOW && ours.millis_since(now).abs() < 60_000, "{now}, {ours}");
    assert_eq!(sqlite().await.begin(NOW).await.unwrap().database_clock(NOW).await.unwrap(), NOW);
}

/// How long the far side hears nothing.
#[derive(Clone, Copy, Debug)]
enum Heals {
    /// What was held back is delivered.
    Open,
    /// Connections from before stay deaf.
    ToNewOnes,
}

async fn behind_a_partition(heals: Heals) {
    let at = ThrowawayDatabase::create().await;
    let partition = Partition::before(at.url()).await;
    let (near, far) = (open(&at).await.unwrap(), Database::open(partition.url(), Arc::new(SystemIds::new())).await.unwrap());
    let heal = || match heals {
        Heals::Open => partition.open(),
        Heals::ToNewOnes => partition.open_to_new_ones(),
    };
    let epoch = async |database: &Database| -> i64 {
        database.reader().fetch_one("SELECT epoch FROM leases WHERE shard = 0", args![]).await.unwrap().get("epoch").unwrap()
    };
    let mut listener = far.listen("onward").await.unwrap();
    let reading = futures_util::future::join_all((0..5).map(|_| epoch(&far))).await;
    assert_eq!(reading, [0; 5]);

    // In the middle of a transaction, which must not keep its locks from others.
    let mut tx = far.begin(NOW).await.unwrap();
    tx.execute("UPDATE leases SET epoch = 7 WHERE shard = 0", args![]).await.unwrap();
    partition.close();
    let lost = tx.execute("UPDATE leases SET epoch = 8 WHERE shard = 0", args![]).await.unwrap_err();
    assert!(matches!(lost, DatabaseError::Disconnected(_)), "{lost:?}");
    tx.rollback().await;
    let mut attempts = 0;
    loop {
        // As whoever takes the shards over.
        let mut other = near.begin(NOW).await.unwrap();
        other.be_patient().await.unwrap();
        if other.execute("UPDATE leases SET epoch = epoch + 1 WHERE shard = 0", args![]).await.is_ok() {
            break other.commit().await.unwrap();
        }
        attempts += 1;
        assert!(attempts < 3, "the locks of whoever was cut off are free after four seconds");
    }
    // Whoever reads is told, and so is whoever stops waiting: their connections are of no use to anybody.
    for _ in 0..3 {
        let waited = tokio::time::timeout(std::time::Duration::from_millis(50), epoch(&far)).await;
        assert!(waited.is_err(), "nothing passes");
    }
    let refused = far.reader().fetch_one("SELECT 1 AS one", args![]).await.unwrap_err();
    assert!(refused.is_passing(), "{refused:?}");
    assert!(far.begin(NOW).await.is_err());

    // At once, and for as many as there are places.
    heal();
    let reading = futures_util::future::join_all((0..20).map(|_| epoch(&far))).await;
    assert_eq!(reading, [1; 20]);
    let mut tx = far.begin(NOW).await.unwrap();
    tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE shard = 0", args![]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(epoch(&near).await, 2, "nothing of the lost transaction is there");

    // While it commits.
    let mut tx = far.begin(NOW).await.unwrap();
    tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE shard = 0", args![]).await.unwrap();
    partition.close();
    let unknown = tx.commit().await.unwrap_err();
    assert!(matches!(unknown, onward_core::ports::CommitError::Unknown(_)), "{unknown:?}");
    heal();

    // Who listens finds out by themselves, and hears again.
    if matches!(heals, Heals::ToNewOnes) {
        assert_eq!(listener.next().await.unwrap(), None);
    }
    let mut tx = near.begin(NOW).await.unwrap();
    tx.notify("onward", "word").await.unwrap();
    tx.commit().await.unwrap();
    while listener.next().await.unwrap().as_deref() != Some("word") {}
}

#[tokio::test]
async fn nothing_waits_for_ever_for_a_database_that_is_cut_off() {
    behind_a_partition(Heals::Open).await;
}

#[tokio::test]
async fn connections_that_were_forgotten_on_the_way_are_made_anew() {
    behind_a_partition(Heals::ToNewOnes).await;
}

#[tokio::test]
async fn a_reading_connection_is_used_again_and_again() {
    let at = ThrowawayDatabase::create().await;
    let partition = Partition::before(at.url()).await;
    let database = Database::open(partition.url(), Arc::new(SystemIds::new())).await.unwrap();
    for _ in 0..20 {
        database.reader().fetch_one("SELECT 1 AS one", args![]).await.unwrap();
    }
    assert!(partition.connections() <= 2, "{} for 20 reads", partition.connections());
    for _ in 0..20 {
        let mut snapshot = database.reader().snapshot().await.unwrap();
        snapshot.fetch_one("SELECT 1 AS one", args![]).await.unwrap();
    }
    // The writer's, and as many as were ever out at one time: a snapshot's comes back beside, and there are eight places.
    assert!(partition.connections() <= 9, "{} for 20 snapshots", partition.connections());
    database.close().await;
    assert!(database.reader().fetch_one("SELECT 1 AS one", args![]).await.is_err());
}
