//! PostgreSQL's error codes as our errors (PostgreSQL 15, appendix A).

use crate::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// Our error for sqlx's.
pub(super) fn translate(error: &sqlx::Error) -> DatabaseError {
    match error {
        sqlx::Error::Database(inner) => match inner.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => translate_code(error),
            None => DatabaseError::Failed(inner.message().to_owned()),
        },
        sqlx::Error::PoolTimedOut => DatabaseError::Busy,
        sqlx::Error::Io(error) => DatabaseError::Disconnected(error.to_string()),
        other => DatabaseError::Failed(other.to_string()),
    }
}

fn translate_code(error: &PgDatabaseError) -> DatabaseError {
    let code = error.code();
    match error.code() {
        "23505" => unique_violation(error),
        // Disk full; out of memory is as passing.
        "53100" => DatabaseError::DiskFull,
        // Serialisation failure, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => DatabaseError::Contended,
        // Too many connections, cannot connect now, statement or idle time-out.
        "53300" | "57P03" | "57014" | "25P03" => DatabaseError::Busy,
        // Shut down or crashed while we were connected.
        "57P01" | "57P02" => DatabaseError::Disconnected(error.message().to_owned()),
        "25P02" => DatabaseError::TransactionLost("an earlier statement failed".to_owned()),
        _ if code.starts_with("08") => DatabaseError::Disconnected(error.message().to_owned()),
        // Integrity, and values that do not fit their column's type.
        _ if code.starts_with("23") || code.starts_with("22") => DatabaseError::ConstraintViolation(error.message().to_owned()),
        _ => DatabaseError::Failed(format!("{} (PostgreSQL {code})", error.message())),
    }
}

/// The columns come from the detail: `Key (organisation, email)=(…) already exists.` Their values stay out of our errors.
fn unique_violation(error: &PgDatabaseError) -> DatabaseError {
    let columns = error.detail().and_then(columns_of).unwrap_or_default();
    DatabaseError::UniqueViolation { table: error.table().unwrap_or_default().to_owned(), columns }
}

fn columns_of(detail: &str) -> Option<Vec<String>> {
    let (_, rest) = detail.split_once('(')?;
    let (names, _) = rest.split_once(")=(")?;
    Some(names.split(", ").map(str::to_owned).collect())
}

/// Whether a commit that gave this error may still be stored: no answer of the server came.
pub(super) fn commit_may_have_happened(error: &sqlx::Error) -> bool {
    match error {
        // It answered, so it did not commit; but one that is shutting down may have.
        sqlx::Error::Database(inner) => {
            inner.try_downcast_ref::<PgDatabaseError>().is_none_or(|error| error.code().starts_with("08") || error.code().starts_with("57P"))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_violation_come_without_their_values() {
        assert_eq!(columns_of("Key (organisation, email)=(1, (x)) already exists."), Some(vec!["organisation".into(), "email".into()]));
        assert_eq!(columns_of("nothing of the kind"), None);
    }
}
