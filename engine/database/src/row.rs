//! Rows as statements return them.

use crate::{DatabaseError, postgres, sqlite};
use onward_core::{Timestamp, Value, ids::Shard};
use uuid::Uuid;

/// One row of a result.
pub struct Row(pub(crate) Inner);

pub(crate) enum Inner {
    Sqlite(sqlite::Row),
    Postgres(postgres::Row),
}

impl Row {
    /// The value of a column by its name.
    ///
    /// # Errors
    /// [`DatabaseError::Column`] when there is no such column, or its value is null or of another type.
    pub fn get<T: FromColumn>(&self, column: &str) -> Result<T, DatabaseError> {
        T::from_column(Column { row: self, name: column })
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row(…)")
    }
}

/// A named column of one row.
#[derive(Clone, Copy, Debug)]
pub struct Column<'r> {
    row: &'r Row,
    name: &'r str,
}

impl Column<'_> {
    /// An error about this column.
    pub fn error(&self, reason: impl Into<String>) -> DatabaseError {
        DatabaseError::Column { column: self.name.to_owned(), reason: reason.into() }
    }
    /// Whether it holds no value.
    pub fn is_null(&self) -> Result<bool, DatabaseError> {
        match &self.row.0 {
            Inner::Sqlite(row) => row.is_null(self.name),
            Inner::Postgres(row) => row.is_null(self.name),
        }
    }
    /// As a whole number.
    pub fn integer(&self) -> Result<i64, DatabaseError> {
        match &self.row.0 {
            Inner::Sqlite(row) => row.integer(self.name),
            Inner::Postgres(row) => row.integer(self.name),
        }
    }
    /// As a number.
    pub fn float(&self) -> Result<f64, DatabaseError> {
        match &self.row.0 {
            Inner::Sqlite(row) => row.float(self.name),
            Inner::Postgres(row) => row.float(self.name),
        }
    }
    /// As true or false.
    pub fn boolean(&self) -> Result<bool, DatabaseError> {
        match &self.row.0 {
            Inner::Sqlite(row) => row.integer(self.name).map(|number| number != 0),
            Inner::Postgres(row) => row.boolean(self.name),
        }
    }
    /// As text.
    pub fn text(&self) -> Result<String, DatabaseError> {
        match &self.row.0 {
            Inner::Sqlite(row) => row.text(self.name),
            Inner::Postgres(row) => row.text(self.name),
        }
    }
    /// As bytes.
    pub fn bytes(&self) -> Result<Vec<u8>, DatabaseError> {
        match &self.row.0 {
            Inner::Sqlite(row) => row.bytes(self.name),
            Inner::Postgres(row) => row.bytes(self.name),
        }
    }
    /// As an id.
    pub fn uuid(&self) -> Result<Uuid, DatabaseError> {
        if let Inner::Postgres(row) = &self.row.0 {
            return row.uuid(self.name);
        }
        let bytes = self.bytes()?;
        Uuid::from_slice(&bytes).map_err(|_| self.error(format!("an id has 16 bytes, this value has {}", bytes.len())))
    }
    /// As JSON.
    pub fn json(&self) -> Result<Value, DatabaseError> {
        serde_json::from_str(&self.text()?).map_err(|error| self.error(format!("no JSON: {error}")))
    }
}

/// What can be read from a column.
pub trait FromColumn: Sized {
    /// Reads it.
    fn from_column(column: Column<'_>) -> Result<Self, DatabaseError>;
}

macro_rules! from_integer {
    ($($type:ty),+) => {$(
        impl FromColumn for $type {
            fn from_column(column: Column<'_>) -> Result<Self, DatabaseError> {
                let number = column.integer()?;
                Self::try_from(number).map_err(|_| column.error(format!("{number} is out of range")))
            }
        }
    )+};
}
from_integer!(i16, i32, u16, u32, u64);

macro_rules! from_column {
    ($($type:ty => $column:ident => $value:expr;)+) => {$(
        impl FromColumn for $type {
            fn from_column($column: Column<'_>) -> Result<Self, DatabaseError> {
                $value
            }
        }
    )+};
}

from_column! {
    i64 => column => column.integer();
    f64 => column => column.float();
    bool => column => column.boolean();
    String => column => column.text();
    Vec<u8> => column => column.bytes();
    [u8; 16] => column => fixed(column);
    [u8; 32] => column => fixed(column);
    Uuid => column => column.uuid();
    Timestamp => column => column.integer().map(Timestamp::from_millis);
    Shard => column => u16::from_column(column).map(Shard);
    Value => column => if column.is_null()? { Ok(Value::Null) } else { column.json() };
}

fn fixed<const N: usize>(column: Column<'_>) -> Result<[u8; N], DatabaseError> {
    let bytes = column.bytes()?;
    <[u8; N]>::try_from(bytes).map_err(|bytes| column.error(format!("{N} bytes expected, this value has {}", bytes.len())))
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(column: Column<'_>) -> Result<Self, DatabaseError> {
        if column.is_null()? { Ok(None) } else { T::from_column(column).map(Some) }
    }
}
