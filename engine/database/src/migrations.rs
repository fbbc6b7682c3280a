//! The embedded migrations: of both databases the same numbers with the same meaning.

use crate::DatabaseError;
use sqlx::{
    SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// What brings a SQLite file up to date. A file that a newer version has written is refused.
pub(crate) fn sqlite() -> Migrator {
    migrator(SQLITE)
}

/// What brings a PostgreSQL database up to date; nodes that start at one time take turns.
pub(crate) fn postgres() -> Migrator {
    migrator(POSTGRES)
}

/// Why a database cannot be brought up to date, and what to do.
pub(crate) fn refused(error: &MigrateError) -> DatabaseError {
    let newest = SQLITE.last().map_or(0, |(version, ..)| *version);
    DatabaseError::Migration(match error {
        MigrateError::VersionMissing(version) => format!(
            "a newer version of Onward has brought it to migration {version}, and this one knows {newest} at the most; run that version or a newer one, or \
             restore a backup of before the upgrade for this one"
        ),
        MigrateError::VersionMismatch(version) => {
            format!("its migration {version} is another one than this version's; run a release of Onward, or the build that made it")
        }
        other => other.to_string(),
    })
}

/// Tells one state of the migrations from another.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn postgres_fingerprint() -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    POSTGRES.hash(&mut hasher);
    hasher.finish()
}

fn migrator(migrations: &[(i64, &'static str, &'static str)]) -> Migrator {
    Migrator::with_migrations(
        migrations
            .iter()
            .map(|&(version, description, sql)| Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_newer_version_says_what_to_do() {
        let text = refused(&MigrateError::VersionMissing(9_999)).to_string();
        assert!(text.contains("migration 9999") && text.contains("run that version or a newer one") && text.contains("restore a backup"), "{text}");
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let names = |migrations: &[(i64, &'static str, &'static str)]| migrations.iter().map(|&(number, name, _)| (number, name)).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
    }
}
