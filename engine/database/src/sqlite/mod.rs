//! The SQLite dialect: everything that knows sqlx and rusqlite.

mod backend;
pub(crate) mod backup;
mod cells;
mod checkpoint;
mod errors;
mod lock;
mod row;
mod write;
mod writing;

pub(crate) use backend::{Backend, ReadTransaction};
pub(crate) use lock::FileLock;
pub(crate) use row::Row;
pub(crate) use write::WriteConnection;

use crate::{Arg, Args, DatabaseError, lists};
use errors::translate;
use sqlx::{
    AssertSqlSafe, SqlSafeStr as _, SqliteConnection,
    sqlite::{Sqlite, SqliteArguments},
};

/// The statement in our dialect with its arguments bound.
fn prepare(sql: &'static str, args: Args) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, DatabaseError> {
    let text = match lists::for_sqlite(sql, lists::Lists::Json)? {
        lists::Text::Static(text) => text.into_sql_str(),
        lists::Text::Expanded(text) => AssertSqlSafe(text).into_sql_str(),
    };
    Ok(sqlx::query_with(text, bind(sql, args)?))
}

fn bind(sql: &'static str, args: Args) -> Result<SqliteArguments, DatabaseError> {
    use sqlx::Arguments as _;
    let mut bound = SqliteArguments::default();
    bound.reserve(args.len(), 0);
    for arg in args.0 {
        match arg {
            Arg::Null(_) => bound.add(None::<i64>),
            Arg::Boolean(value) => bound.add(i64::from(value)),
            Arg::Integer(value) => bound.add(value),
            Arg::Float(value) => bound.add(value),
            Arg::Text(value) | Arg::Json(value) => bound.add(value),
            Arg::Bytes(value) => bound.add(value),
            Arg::Uuid(value) => bound.add(value.into_bytes().to_vec()),
            Arg::Rows(rows) => bound.add(rows.to_json()),
        }
        .map_err(|error| DatabaseError::Statement { sql: sql.to_owned(), reason: error.to_string() })?;
    }
    Ok(bound)
}

async fn fetch_all(connection: &mut SqliteConnection, sql: &'static str, args: Args) -> Result<Vec<crate::Row>, DatabaseError> {
    let rows = prepare(sql, args)?.fetch_all(connection).await.map_err(|error| translate(&error))?;
    Ok(rows.into_iter().map(|row| crate::Row(crate::row::Inner::Sqlite(Row::Read(row)))).collect())
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
    let done = prepare(sql, args)?.execute(connection).await.map_err(|error| translate(&error))?;
    Ok(done.rows_affected())
}
