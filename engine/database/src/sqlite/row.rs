//! Rows of both kinds of connections.

use crate::DatabaseError;
use rusqlite::types::Value;
use sqlx::{Decode, Row as _, Sqlite, Type, ValueRef as _, sqlite::SqliteRow};
use std::sync::Arc;

/// A row of a SQLite result.
pub(crate) enum Row {
    /// From a reader.
    Read(SqliteRow),
    /// From the writing connection.
    Written {
        /// The result's columns.
        columns: Arc<[Box<str>]>,
        /// Their values.
        values: Vec<Value>,
    },
}

impl Row {
    /// Whether a column holds no value.
    pub(crate) fn is_null(&self, column: &str) -> Result<bool, DatabaseError> {
        match self {
            Self::Read(row) => row.try_get_raw(column).map(|value| value.is_null()).map_err(|error| unreadable(column, &error)),
            Self::Written { .. } => Ok(matches!(self.written(column)?, Value::Null)),
        }
    }
    pub(crate) fn integer(&self, column: &str) -> Result<i64, DatabaseError> {
        match self {
            Self::Read(row) => read(row, column),
            Self::Written { .. } => match self.written(column)? {
                Value::Integer(number) => Ok(*number),
                other => Err(mistyped(column, "a whole number", other)),
            },
        }
    }
    pub(crate) fn float(&self, column: &str) -> Result<f64, DatabaseError> {
        match self {
            Self::Read(row) => read(row, column).or_else(|_| read::<i64>(row, column).map(|whole| whole as f64)),
            Self::Written { .. } => match self.written(column)? {
                Value::Real(number) => Ok(*number),
                Value::Integer(number) => Ok(*number as f64),
                other => Err(mistyped(column, "a number", other)),
            },
        }
    }
    pub(crate) fn text(&self, column: &str) -> Result<String, DatabaseError> {
        match self {
            Self::Read(row) => read(row, column),
            Self::Written { .. } => match self.written(column)? {
                Value::Text(text) => Ok(text.clone()),
                other => Err(mistyped(column, "text", other)),
            },
        }
    }
    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, DatabaseError> {
        match self {
            Self::Read(row) => read(row, column),
            Self::Written { .. } => match self.written(column)? {
                Value::Blob(bytes) => Ok(bytes.clone()),
                other => Err(mistyped(column, "bytes", other)),
            },
        }
    }

    fn written(&self, column: &str) -> Result<&Value, DatabaseError> {
        let Self::Written { columns, values } = self else { return Err(missing(column)) };
        let place = columns.iter().position(|name| **name == *column).ok_or_else(|| missing(column))?;
        values.get(place).ok_or_else(|| missing(column))
    }
}

/// sqlx reads a null as zero, so nulls are refused here.
fn read<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, column: &str) -> Result<T, DatabaseError> {
    if row.try_get_raw(column).map_err(|error| unreadable(column, &error))?.is_null() {
        return Err(mistyped(column, "a value", &Value::Null));
    }
    row.try_get(column).map_err(|error| unreadable(column, &error))
}

fn unreadable(column: &str, error: &sqlx::Error) -> DatabaseError {
    DatabaseError::Column { column: column.to_owned(), reason: error.to_string() }
}

fn missing(column: &str) -> DatabaseError {
    DatabaseError::Column { column: column.to_owned(), reason: "the result has no such column".to_owned() }
}

fn mistyped(column: &str, expected: &str, found: &Value) -> DatabaseError {
    let found = match found {
        Value::Null => "null",
        Value::Integer(_) => "a whole number",
        Value::Real(_) => "a number",
        Value::Text(_) => "text",
        Value::Blob(_) => "bytes",
    };
    DatabaseError::Column { column: column.to_owned(), reason: format!("it is {found} where {expected} is expected") }
}
