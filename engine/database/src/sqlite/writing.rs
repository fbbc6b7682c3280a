//! The writing connection itself: SQLite called on the caller's own thread.
//!
//! sqlx gives each SQLite connection a thread, so a statement costs two hand-overs between threads, many times what SQLite
//! needs for it. Readers can afford that; the one writer, through which everything passes, cannot (docs/decisions).

use super::{Row, errors::translate_written};
use crate::{Arg, Args, DatabaseError, lists};
use rusqlite::{Connection, OpenFlags, types::Value};
use std::{path::Path, sync::Arc, time::Duration};

/// Distinct statements that stay prepared; all of ours, with room.
const PREPARED_STATEMENTS: usize = 1_000;

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writing {
    connection: Connection,
}

/// What a statement gave.
pub(super) struct Done {
    pub(super) rows: Vec<crate::Row>,
    /// Rows that it inserted, updated or deleted.
    pub(super) affected: u64,
}

/// Why a statement failed: on its way to SQLite, or there.
pub(super) enum Failure {
    Statement(DatabaseError),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    pub(super) fn translate(self) -> DatabaseError {
        match self {
            Self::Statement(error) => error,
            Self::Sqlite(error) => translate_written(&error),
        }
    }
}

impl Writing {
    /// Opens the file, which is there already, with every setting that durability hangs on.
    pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
        connection.execute_batch(
            "PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA journal_size_limit = 67108864;
             -- Only the safety net of the checkpointer beside the writer: 64 MiB.
             PRAGMA wal_autocheckpoint = 16000;
             PRAGMA cache_size = -16000;
             PRAGMA temp_store = MEMORY;
             -- A failing read of a mapped page ends the process instead of the statement, and mapped pages count as memory used.
             PRAGMA mmap_size = 0;",
        )?;
        Ok(Self { connection })
    }

    /// Whether a transaction is open, as SQLite itself sees it.
    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Runs a statement to its end.
    pub(super) fn run(&self, sql: &'static str, args: Args) -> Result<Done, Failure> {
        let text = lists::for_sqlite(sql).map_err(Failure::Statement)?;
        let mut statement = self.connection.prepare_cached(text.as_str())?;
        bind(&mut statement, sql, args)?;
        let writes = !statement.readonly();
        let width = statement.column_count();
        let columns: Arc<[Box<str>]> = statement.column_names().into_iter().map(Box::from).collect();
        let mut found = Vec::new();
        {
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                let values = (0..width).map(|at| row.get(at)).collect::<Result<Vec<Value>, _>>()?;
                found.push(crate::Row(crate::row::Inner::Sqlite(Row::Written { columns: Arc::clone(&columns), values })));
            }
        }
        drop(statement);
        Ok(Done { rows: found, affected: if writes { self.connection.changes() } else { 0 } })
    }
}

/// `$3` means the third argument wherever it stands; SQLite itself numbers such names by their first appearance.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, sql: &'static str, args: Args) -> Result<(), Failure> {
    let wrong = |reason: String| Failure::Statement(DatabaseError::Statement { sql: sql.to_owned(), reason });
    let values: Vec<Value> = args.0.into_iter().map(value).collect();
    for place in 1..=statement.parameter_count() {
        let number = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let number = number.ok_or_else(|| wrong(format!("parameter {place} is not named $1, $2 …")))?;
        let value = number.checked_sub(1).and_then(|at| values.get(at)).ok_or_else(|| wrong(format!("${number} has no argument")))?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

fn value(arg: Arg) -> Value {
    match arg {
        Arg::Null(_) => Value::Null,
        Arg::Boolean(flag) => Value::Integer(flag.into()),
        Arg::Integer(number) => Value::Integer(number),
        Arg::Float(number) => Value::Real(number),
        Arg::Text(text) | Arg::Json(text) => Value::Text(text),
        Arg::Bytes(bytes) => Value::Blob(bytes),
        Arg::Uuid(id) => Value::Blob(id.into_bytes().to_vec()),
        Arg::Rows(rows) => Value::Text(rows.to_json()),
    }
}
