//! A PostgreSQL database: connected to, checked, migrated; its writer and its readers.

use super::{
    errors::translate,
    listener::Listener,
    statement,
    write::{Slot, WriteConnection},
};
use crate::{Args, DatabaseError, Report, migrations};
use sqlx::{
    ConnectOptions as _, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{str::FromStr as _, sync::Arc, time::Duration};
use tokio::sync::Mutex;

/// Reads that run side by side.
const READERS: u32 = 8;
/// Distinct statements that stay prepared on a connection; all of ours, with room.
const PREPARED_STATEMENTS: usize = 1_000;
/// The oldest version that is tried.
const OLDEST_VERSION: i64 = 140_000;
/// How long a read waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// For every connection. A node that stalls must not keep its locks (SEMANTICS.md 4), and no statement of ours is long.
const SETTINGS: [(&str, &str); 8] = [
    ("synchronous_commit", "on"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("lock_timeout", "5s"),
    ("statement_timeout", "30s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];

#[derive(Debug)]
pub(crate) struct Backend {
    writer: Arc<Mutex<Slot>>,
    readers: PgPool,
    /// For people: the database without its password.
    name: String,
}

impl Backend {
    /// Connects, checks that commits are kept, and brings the schema up to date. Nodes that start at one time take turns.
    pub(crate) async fn open(url: &str) -> Result<Self, DatabaseError> {
        let unfit = |reason: String| DatabaseError::Url { url: crate::database::without_password(url), reason };
        let options = PgConnectOptions::from_str(url).map_err(|error| unfit(error.to_string()))?;
        let options = options
            .application_name("onward")
            .statement_cache_capacity(PREPARED_STATEMENTS)
            .extra_float_digits(3)
            .options(SETTINGS)
            .disable_statement_logging();
        let name = format!("{}/{}", options.get_host(), options.get_database().unwrap_or(options.get_username()));
        let mut connection = connect(&options).await.map_err(|error| match error {
            DatabaseError::Disconnected(reason) | DatabaseError::Failed(reason) => {
                unfit(format!("{reason}; check that PostgreSQL runs there, and the user, the password and the database's name"))
            }
            other => other,
        })?;
        check(&mut connection).await?;
        // Migrations of big tables may take their time.
        sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await.map_err(|error| translate(&error))?;
        migrations::postgres().run_direct(None, &mut connection, false).await.map_err(|error| DatabaseError::Migration(error.to_string()))?;
        sqlx::raw_sql("RESET statement_timeout; RESET lock_timeout").execute(&mut connection).await.map_err(|error| translate(&error))?;
        let readers = PgPoolOptions::new()
            // One more, that listens.
            .max_connections(READERS + 1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(options.clone().options([("default_transaction_read_only", "on")]));
        Ok(Self { writer: Arc::new(Mutex::new(Slot::new(options, connection))), readers, name })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Begins a write transaction; waits for the one before it in this process.
    pub(crate) async fn begin(&self) -> Result<WriteConnection, DatabaseError> {
        WriteConnection::begin(Arc::clone(&self.writer).lock_owned().await).await
    }

    /// One statement on a reader. A connection that was cut while it lay idle is noticed here: then once more on another.
    pub(crate) async fn read(&self, sql: &'static str, args: Args) -> Result<Vec<crate::Row>, DatabaseError> {
        for _ in 0..READERS {
            let mut connection = self.readers.acquire().await.map_err(|error| translate(&error))?;
            match statement::fetch_all(&mut connection, sql, args.clone()).await {
                Err(DatabaseError::Disconnected(reason)) => {
                    tracing::debug!(reason, "a reading connection was cut");
                    drop(connection.detach());
                }
                done => return done,
            }
        }
        let mut connection = self.readers.acquire().await.map_err(|error| translate(&error))?;
        statement::fetch_all(&mut connection, sql, args).await
    }

    /// A reader that stays on one moment.
    pub(crate) async fn snapshot(&self) -> Result<ReadTransaction, DatabaseError> {
        let mut transaction = self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.map_err(|error| translate(&error))?;
        // The snapshot is taken by the first statement, not by BEGIN.
        statement::fetch_all(&mut transaction, "SELECT 1 AS one", Args::new()).await?;
        Ok(ReadTransaction(transaction))
    }

    pub(crate) async fn listen(&self, channel: &str) -> Result<Listener, DatabaseError> {
        Listener::listen(&self.readers, channel).await
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
pub(crate) struct ReadTransaction(Transaction<'static, Postgres>);

impl ReadTransaction {
    pub(crate) async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<crate::Row>, DatabaseError> {
        statement::fetch_all(&mut self.0, sql, args).await
    }
}

pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DatabaseError> {
    options.connect().await.map_err(|error| translate(&error))
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
