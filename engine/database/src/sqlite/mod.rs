//! The SQLite dialect: everything that knows sqlx.

mod backend;
mod checkpoint;
mod errors;
mod lock;
mod write;

pub(crate) use backend::{Backend, ReadTransaction};
pub(crate) use write::WriteConnection;

use crate::{Arg, Args, DatabaseError, lists, row};
use errors::translate;
use sqlx::{
    AssertSqlSafe, Decode, Row as _, SqlSafeStr as _, SqliteConnection, Type, ValueRef as _,
    sqlite::{Sqlite, SqliteArguments, SqliteRow},
};

pub(crate) type Row = SqliteRow;

/// Whether a column holds no value.
pub(crate) fn is_null(row: &Row, column: &str) -> Result<bool, DatabaseError> {
    row.try_get_raw(column).map(|value| value.is_null()).map_err(|error| unreadable(column, &error))
}

/// The value of a column. sqlx reads a null as zero, so nulls are refused here.
pub(crate) fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r Row, column: &str) -> Result<T, DatabaseError> {
    if is_null(row, column)? {
        return Err(DatabaseError::Column { column: column.to_owned(), reason: "it is null".to_owned() });
    }
    row.try_get(column).map_err(|error| unreadable(column, &error))
}

fn unreadable(column: &str, error: &sqlx::Error) -> DatabaseError {
    DatabaseError::Column { column: column.to_owned(), reason: error.to_string() }
}

/// The statement in our dialect with its arguments bound.
fn prepare(sql: &'static str, args: Args) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, DatabaseError> {
    let text = match lists::for_sqlite(sql)? {
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
    Ok(rows.into_iter().map(|row| crate::Row(row::Inner::Sqlite(row))).collect())
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
    let done = prepare(sql, args)?.execute(connection).await.map_err(|error| translate(&error))?;
    Ok(done.rows_affected())
}
