//! The embedded migrations: of both databases the same numbers with the same meaning.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
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
    fn both_databases_have_the_same_migrations() {
        let names = |migrations: &[(i64, &'static str, &'static str)]| migrations.iter().map(|&(number, name, _)| (number, name)).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
    }
}
