//! Rows of PostgreSQL.

use crate::DatabaseError;
use sqlx::{Decode, Postgres, Row as _, Type, TypeInfo as _, ValueRef as _, postgres::PgRow};
use uuid::Uuid;

/// A row of a PostgreSQL result.
pub(crate) struct Row(pub(super) PgRow);

impl Row {
    /// Whether a column holds no value.
    pub(crate) fn is_null(&self, column: &str) -> Result<bool, DatabaseError> {
        self.0.try_get_raw(column).map(|value| value.is_null()).map_err(|error| unreadable(column, &error))
    }
    pub(crate) fn integer(&self, column: &str) -> Result<i64, DatabaseError> {
        match &*self.type_of(column)? {
            "INT4" => self.read::<i32>(column).map(i64::from),
            "INT2" => self.read::<i16>(column).map(i64::from),
            _ => self.read(column),
        }
    }
    pub(crate) fn float(&self, column: &str) -> Result<f64, DatabaseError> {
        match &*self.type_of(column)? {
            "INT8" => self.read::<i64>(column).map(|whole| whole as f64),
            "INT4" => self.read::<i32>(column).map(f64::from),
            _ => self.read(column),
        }
    }
    pub(crate) fn boolean(&self, column: &str) -> Result<bool, DatabaseError> {
        if self.type_of(column)? == "BOOL" { self.read(column) } else { self.integer(column).map(|number| number != 0) }
    }
    pub(crate) fn text(&self, column: &str) -> Result<String, DatabaseError> {
        self.read(column)
    }
    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, DatabaseError> {
        self.read(column)
    }
    pub(crate) fn uuid(&self, column: &str) -> Result<Uuid, DatabaseError> {
        self.read(column)
    }

    fn type_of(&self, column: &str) -> Result<String, DatabaseError> {
        let value = self.0.try_get_raw(column).map_err(|error| unreadable(column, &error))?;
        Ok(value.type_info().name().to_owned())
    }

    fn read<'r, T: Decode<'r, Postgres> + Type<Postgres>>(&'r self, column: &str) -> Result<T, DatabaseError> {
        self.0.try_get(column).map_err(|error| unreadable(column, &error))
    }
}

fn unreadable(column: &str, error: &sqlx::Error) -> DatabaseError {
    DatabaseError::Column { column: column.to_owned(), reason: error.to_string() }
}
