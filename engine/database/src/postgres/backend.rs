//! A PostgreSQL database: connected to, checked, migrated; its writer and its readers.

use super::{
    bounds::{ANSWER, CONNECT, NoAnswer, READ, within},
    errors::translate,
    listener::Listener,
    readers::{Borrowed, Readers},
    statement, statistics,
    write::{Slot, WriteConnection},
};
use crate::{Args, DatabaseError, Report, migrations};
use onward_core::Timestamp;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use std::{str::FromStr as _, sync::Arc};
use tokio::{runtime::Handle, sync::Mutex};

/// Distinct statements that stay prepared on a connection; all of ours, with room.
const PREPARED_STATEMENTS: usize = 1_000;
/// The oldest version that is tried.
const OLDEST_VERSION: i64 = 140_000;
/// For every connection: no statement of ours is long.
const EVERY: [(&str, &str); 10] = [
    ("synchronous_commit", "on"),
    // Of statements that are a transaction of their own, too.
    ("default_transaction_isolation", "read committed"),
    // Compiling one takes longer than running it, and the planner asks for it where it takes a young table for a large one.
    ("jit", "off"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("statement_timeout", "30s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];
/// For the one that writes. A node that stalls or is cut off must not keep its locks for longer than its lease lasts: whoever takes its
/// shards over waits for them (SEMANTICS.md 4). And two that wait for each other must find out: a transaction is many people's work, so that
/// it locks records in no order. PostgreSQL itself looks after a second (`deadlock_timeout`), which only a superuser may change.
const WRITER: [(&str, &str); 3] = [("idle_in_transaction_session_timeout", "4s"), ("statement_timeout", "15s"), ("lock_timeout", "200ms")];
/// Deleted rows are cleared away once a fiftieth of a table is, not a fifth: tables of millions of rows would grow far beyond what they
/// hold. Whoever set a share of their own keeps it.
const CLEAR_EARLY: &str = "DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
        AND NOT coalesce(c.reloptions::text LIKE '%autovacuum_vacuum_scale_factor%', false)
    LOOP EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500,
        autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.1)', one.name);
    END LOOP; END $$";
/// For those that read.
const READER: [(&str, &str); 1] = [("default_transaction_read_only", "on")];

#[derive(Debug)]
pub(crate) struct Backend {
    writer: Arc<Mutex<Slot>>,
    readers: Readers,
    /// For people: the database without its password.
    name: String,
}

impl Backend {
    /// Connects, checks that commits are kept, and brings the schema up to date. Nodes that start at one time take turns.
    pub(crate) async fn open(url: &str) -> Result<Self, DatabaseError> {
        let unfit = |reason: String| DatabaseError::Url { url: crate::database::without_password(url), reason };
        let options = PgConnectOptions::from_str(url).map_err(|error| unfit(error.to_string()))?;
        let options =
            options.application_name("onward").statement_cache_capacity(PREPARED_STATEMENTS).extra_float_digits(3).options(EVERY).disable_statement_logging();
        let name = format!("{}/{}", options.get_host(), options.get_database().unwrap_or(options.get_username()));
        let writer = options.clone().options(WRITER);
        let mut connection = connect(&writer).await.map_err(|error| match error {
            DatabaseError::Disconnected(reason) | DatabaseError::Failed(reason) => {
                unfit(format!("{reason}; check that PostgreSQL runs there, and the user, the password and the database's name"))
            }
            other => other,
        })?;
        check(&mut connection).await?;
        // Migrations of big tables may take their time.
        sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await.map_err(|error| translate(&error))?;
        migrations::postgres().run_direct(None, &mut connection, false).await.map_err(|error| migrations::refused(&error))?;
        if let Err(error) = sqlx::raw_sql(CLEAR_EARLY).execute(&mut connection).await {
            tracing::warn!(%error, "the tables' autovacuum settings cannot be set; deleted rows are cleared away later than is good");
        }
        sqlx::raw_sql("RESET statement_timeout; RESET lock_timeout").execute(&mut connection).await.map_err(|error| translate(&error))?;
        statistics::gather_at_start(&mut connection, &writer).await?;
        let readers = Readers::new(options.options(READER));
        Ok(Self { writer: Arc::new(Mutex::new(Slot::new(writer, connection))), readers, name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Begins a write transaction; waits for the one before it in this process.
    pub(crate) async fn begin(&self, now: Timestamp) -> Result<WriteConnection, DatabaseError> {
        WriteConnection::begin(Arc::clone(&self.writer).lock_owned().await, now).await
    }

    /// A write transaction that waits for the one before it only when it asks or writes something.
    pub(crate) fn begin_behind(&self, now: Timestamp) -> WriteConnection {
        WriteConnection::begin_behind(Arc::clone(&self.writer), now)
    }

    /// One statement on a reader. A connection that was cut while it lay idle is noticed here: then once more on a new one.
    pub(crate) async fn read(&self, sql: &'static str, args: Args) -> Result<Vec<crate::Row>, DatabaseError> {
        for again in [true, false] {
            let mut reader = self.readers.borrow().await?;
            let done = tokio::time::timeout(READ, statement::fetch_all(&mut reader.connection, sql, args.clone())).await;
            match done {
                Ok(Ok(rows)) => {
                    reader.give_back();
                    return Ok(rows);
                }
                Ok(Err(DatabaseError::Disconnected(reason))) if again => {
                    tracing::debug!(reason, "a reading connection was cut");
                    self.readers.forget_idle();
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    self.readers.forget_idle();
                    return Err(NoAnswer(READ).into());
                }
            }
        }
        Err(DatabaseError::Disconnected("reading connections are cut again and again".into()))
    }

    /// A reader that stays on one moment.
    pub(crate) async fn snapshot(&self) -> Result<ReadTransaction, DatabaseError> {
        let mut reader = self.readers.borrow().await?;
        // The snapshot is taken by the first statement, not by BEGIN.
        let begin = sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT 1");
        within(READ, begin.execute(&mut reader.connection)).await.map_err(|error| translate(&error))?;
        Ok(ReadTransaction { reader: Some(reader), answered: true })
    }

    pub(crate) async fn listen(&self, channel: &str) -> Result<Listener, DatabaseError> {
        Listener::listen(self.readers.options(), channel).await
    }

    pub(crate) async fn report(&self) -> Result<Report, DatabaseError> {
        let rows = self
            .read(
                "SELECT current_setting('server_version') AS version, current_setting('synchronous_commit') AS synchronous_commit,
                    current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
                    pg_database_size(current_database()) AS bytes, (SELECT max(version) FROM _sqlx_migrations) AS migration",
                Args::new(),
            )
            .await?;
        let row = rows.into_iter().next().ok_or(DatabaseError::NoRow)?;
        let setting = |name: &str| row.get::<String>(name);
        Ok(Report {
            database: format!("PostgreSQL {}", setting("version")?),
            path: None,
            durability: format!(
                "synchronous_commit={}, fsync={}, full_page_writes={}",
                setting("synchronous_commit")?,
                setting("fsync")?,
                setting("full_page_writes")?
            ),
            migration: row.get("migration")?,
            bytes: row.get("bytes")?,
            free_bytes: 0,
            log_bytes: 0,
            disk_bytes_left: None,
        })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.lock().await.close().await;
    }
}

/// A read transaction; ended when dropped.
#[derive(Debug)]
pub(crate) struct ReadTransaction {
    /// `None` once ended.
    reader: Option<Borrowed>,
    /// Whether nothing is under way on it, and nothing failed.
    answered: bool,
}

impl ReadTransaction {
    pub(crate) async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<crate::Row>, DatabaseError> {
        let reader = self.reader.as_mut().filter(|_| self.answered).ok_or_else(|| DatabaseError::TransactionLost("it has ended".into()))?;
        self.answered = false;
        let rows = within(READ, statement::fetch_all(&mut reader.connection, sql, args)).await?;
        self.answered = true;
        Ok(rows)
    }
}

impl Drop for ReadTransaction {
    fn drop(&mut self) {
        let Some(mut reader) = self.reader.take().filter(|_| self.answered) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if within(ANSWER, sqlx::raw_sql("ROLLBACK").execute(&mut reader.connection)).await.is_ok() {
                    reader.give_back();
                }
            });
        }
    }
}

pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DatabaseError> {
    within(CONNECT, options.connect()).await.map_err(|error| translate(&error))
}

/// Reads the settings back that decide whether a commit is kept.
async fn check(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let sql = "SELECT current_setting('server_version_num')::bigint AS version, current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('fsync') AS fsync, current_setting('transaction_read_only') AS read_only, current_setting('server_encoding') AS encoding";
    let row = statement::fetch_all(connection, sql, Args::new()).await?.into_iter().next().ok_or(DatabaseError::NoRow)?;
    let unfit = |reason: String| Err(DatabaseError::Unfit(reason));
    if row.get::<i64>("version")? < OLDEST_VERSION {
        return unfit("PostgreSQL 14 or newer is needed; upgrade the server".into());
    }
    if row.get::<String>("encoding")? != "UTF8" {
        return unfit("the database's encoding is not UTF8; create one with `createdb --encoding=UTF8 --template=template0 NAME`".into());
    }
    if row.get::<String>("read_only")? == "on" {
        return unfit("the server takes no writes (a standby, or `default_transaction_read_only`); name the primary".into());
    }
    let synchronous_commit: String = row.get("synchronous_commit")?;
    if !["on", "remote_apply"].contains(&synchronous_commit.as_str()) {
        return unfit(format!("`synchronous_commit` reads `{synchronous_commit}` where `on` was set: commits could be lost"));
    }
    if row.get::<String>("fsync")? != "on" {
        tracing::warn!("PostgreSQL runs with fsync=off: a power failure or a crash of its machine loses what was acknowledged; set fsync=on");
    }
    Ok(())
}
