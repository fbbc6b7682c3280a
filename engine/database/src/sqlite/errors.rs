//! SQLite's result codes as our errors.

use crate::DatabaseError;

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
const CONSTRAINT_PRIMARYKEY: i32 = 1555;
const CONSTRAINT_UNIQUE: i32 = 2067;
/// The shared index of the write-ahead log could not grow: on a full disk this comes before `FULL`.
const IOERR_SHMSIZE: i32 = 4874;

/// Our error for sqlx's.
pub(crate) fn translate(error: &sqlx::Error) -> DatabaseError {
    let sqlite = error.as_database_error().and_then(|inner| Some((inner.code()?.parse().ok()?, inner.message())));
    match (sqlite, error) {
        (Some((code, message)), _) => translate_code(code, message),
        (None, sqlx::Error::PoolTimedOut) => DatabaseError::Busy,
        (None, other) => DatabaseError::Failed(other.to_string()),
    }
}

/// Our error for the writing connection's.
pub(crate) fn translate_written(error: &rusqlite::Error) -> DatabaseError {
    match (code(error), error) {
        (Some(code), rusqlite::Error::SqliteFailure(_, Some(message))) => translate_code(code, message),
        (Some(code), other) => translate_code(code, &other.to_string()),
        (None, other) => DatabaseError::Failed(other.to_string()),
    }
}

fn translate_code(code: i32, message: &str) -> DatabaseError {
    match (code, code & 0xff) {
        (CONSTRAINT_PRIMARYKEY | CONSTRAINT_UNIQUE, _) => unique_violation(message),
        (IOERR_SHMSIZE, _) | (_, FULL) => DatabaseError::DiskFull,
        (_, CONSTRAINT) => DatabaseError::ConstraintViolation(message.to_owned()),
        (_, BUSY | LOCKED) => DatabaseError::Busy,
        (_, CORRUPT | NOTADB) => DatabaseError::Failed(format!("{message} (the file is damaged or no database; restore a backup)")),
        _ => DatabaseError::Failed(format!("{message} (SQLite {code})")),
    }
}

/// The extended result code, when SQLite gave one.
fn code(error: &rusqlite::Error) -> Option<i32> {
    match error {
        rusqlite::Error::SqliteFailure(inner, _) => Some(inner.extended_code),
        _ => None,
    }
}

/// Whether SQLite may have ended the whole transaction with this error, so that a further statement would commit alone.
pub(crate) fn ends_transaction(error: &rusqlite::Error) -> bool {
    code(error).is_some_and(|code| matches!(code & 0xff, NOMEM | INTERRUPT | IOERR | CORRUPT | FULL | NOTADB))
}

/// Whether a commit that gave this error may still be on the disk: its bytes were written and only the sync failed.
pub(crate) fn commit_may_have_happened(error: &rusqlite::Error) -> bool {
    code(error).is_none_or(|code| code & 0xff == IOERR && code != IOERR_SHMSIZE)
}

/// Reads `UNIQUE constraint failed: contacts.organisation, contacts.email`.
fn unique_violation(message: &str) -> DatabaseError {
    let names = message.split_once(": ").map_or(message, |(_, names)| names);
    let mut table = String::new();
    let columns = names
        .split(", ")
        .map(|name| match name.split_once('.') {
            Some((of, column)) => {
                of.clone_into(&mut table);
                column.to_owned()
            }
            None => name.to_owned(),
        })
        .collect();
    DatabaseError::UniqueViolation { table, columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_violation_names_table_and_columns() {
        assert_eq!(
            unique_violation("UNIQUE constraint failed: contacts.organisation, contacts.email"),
            DatabaseError::UniqueViolation { table: "contacts".into(), columns: vec!["organisation".into(), "email".into()] }
        );
    }
}
