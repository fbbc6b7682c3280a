//! The writing connection itself: SQLite called on the caller's own thread.
//!
//! sqlx gives each SQLite connection a thread, so a statement costs two hand-overs between threads, many times what SQLite
//! needs for it. Readers can afford that; the one writer, through which everything passes, cannot (docs/decisions).

use super::{
    Row,
    cells::{Cells, zeros},
    errors::translate_written,
};
use crate::{Arg, Args, DatabaseError, lists};
use rusqlite::{
    Connection, OpenFlags,
    types::{ToSqlOutput, Value, ValueRef},
};
use std::{path::Path, sync::Arc, time::Duration};

/// Distinct statements that stay prepared; all of ours, with room.
const PREPARED_STATEMENTS: usize = 1_000;

/// The one connection that writes.
#[derive(Debug)]
pub(super) struct Writing {
    connection: Connection,
    cells: Cells,
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
        let cells = Cells::of(&connection)?;
        Ok(Self { connection, cells })
    }

    /// Whether a transaction is open, as SQLite itself sees it.
    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Runs a statement to its end.
    pub(super) fn run(&self, sql: &'static str, args: &Args) -> Result<Done, Failure> {
        let text = lists::for_sqlite(sql, lists::Lists::of(args)).map_err(Failure::Statement)?;
        let mut statement = self.connection.prepare_cached(text.as_str())?;
        bind(&mut statement, sql, args)?;
        let _readable = self.cells.hold(args);
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

/// `$3` means the third argument wherever it stands, `$3_0` the first cell of its only row, and `$3_rows` as many zeros as it has rows;
/// SQLite itself numbers such names by their first appearance.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, sql: &'static str, args: &Args) -> Result<(), Failure> {
    let wrong = |reason: String| Failure::Statement(DatabaseError::Statement { sql: sql.to_owned(), reason });
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).and_then(|name| name.strip_prefix('$')).unwrap_or_default();
        let (number, cell) = name.split_once('_').map_or((name, None), |(number, cell)| (number, Some(cell)));
        let number = number.parse::<usize>().map_err(|_| wrong(format!("parameter {place} is not named $1, $2 …")))?;
        let arg = number.checked_sub(1).and_then(|at| args.0.get(at));
        let arg = match (arg, cell) {
            (Some(Arg::Rows(rows)), Some("rows")) => {
                statement.raw_bind_parameter(place, zeros(rows.len()))?;
                continue;
            }
            (Some(Arg::Rows(rows)), Some(cell)) => cell.parse().ok().and_then(|at| rows.cell(0, at)),
            (arg, None) => arg,
            (_, Some(_)) => return Err(wrong(format!("${number} is no list"))),
        };
        let value = bound(arg.ok_or_else(|| wrong(format!("${name} has no argument")))?);
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

/// An argument, or a cell of one, as SQLite takes it.
pub(super) fn bound(arg: &Arg) -> ToSqlOutput<'_> {
    match arg {
        Arg::Null(_) => ToSqlOutput::Owned(Value::Null),
        Arg::Boolean(flag) => ToSqlOutput::Owned(Value::Integer((*flag).into())),
        Arg::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
        Arg::Float(number) => ToSqlOutput::Owned(Value::Real(*number)),
        Arg::Text(text) | Arg::Json(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Arg::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        Arg::Uuid(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
        Arg::Rows(rows) => ToSqlOutput::Owned(Value::Text(rows.to_json())),
    }
}
