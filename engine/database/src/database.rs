//! Opening a database by its URL.

use crate::{DatabaseError, Listener, Reader, Tx, postgres, sqlite, tx::Connection};
use onward_core::{
    Timestamp,
    ports::{Disk, Ids},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// An open database. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    dialect: Dialect,
    ids: Arc<dyn Ids>,
    /// What lives as long as the database, and ends after it.
    #[cfg(any(test, feature = "testing"))]
    kept: std::sync::OnceLock<Box<dyn std::any::Any + Send + Sync>>,
}

/// Which database it is.
pub(crate) enum Dialect {
    Sqlite(sqlite::Backend),
    Postgres(postgres::Backend),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.dialect() {
            Dialect::Sqlite(backend) => write!(f, "Database({})", backend.path().display()),
            Dialect::Postgres(backend) => write!(f, "Database({})", backend.name()),
        }
    }
}

/// What `onward doctor` shows of a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Product and version.
    pub database: String,
    /// The file, when it is one.
    pub path: Option<PathBuf>,
    /// The settings that decide whether a commit survives a power failure, as read back.
    pub durability: String,
    /// The last migration that was run.
    pub migration: i64,
    /// Size in bytes.
    pub bytes: u64,
    /// Bytes within that hold nothing.
    pub free_bytes: u64,
    /// Size of the write-ahead log in bytes.
    pub log_bytes: u64,
    /// Bytes that are left on its disk.
    pub disk_bytes_left: Option<u64>,
}

impl Database {
    /// Opens `sqlite://PATH` (made when it is not there) or `postgres://USER:PASSWORD@HOST/NAME` (which must be there), and
    /// brings its schema up to date; `sqlite::memory:` is a temporary file, for tests. `ids` is where [`onward_core::ports::Transaction::fresh_id`] gets its ids.
    ///
    /// # Errors
    /// [`DatabaseError::InUse`] when another process serves the file, [`DatabaseError::Unfit`] when the disk cannot keep what
    /// we promise, [`DatabaseError::Migration`] when a newer version wrote the file.
    pub async fn open(url: &str, ids: Arc<dyn Ids>) -> Result<Self, DatabaseError> {
        let dialect = match Location::parse(url)? {
            Location::Sqlite(location) => Dialect::Sqlite(sqlite::Backend::open(location).await?),
            Location::Postgres(url) => Dialect::Postgres(postgres::Backend::open(url).await?),
        };
        let inner = Inner {
            dialect,
            ids,
            #[cfg(any(test, feature = "testing"))]
            kept: std::sync::OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn keep(&self, what: Box<dyn std::any::Any + Send + Sync>) {
        let _ = self.inner.kept.set(what);
    }

    pub(crate) fn dialect(&self) -> &Dialect {
        &self.inner.dialect
    }

    /// Begins a write transaction, after the one that this process has open. `now` becomes [`onward_core::ports::Transaction::now`].
    ///
    /// Only the engine's committer, migrations of data and tests call this: everybody else writes through
    /// [`onward_core::ports::Writer`].
    pub async fn begin(&self, now: Timestamp) -> Result<Tx, DatabaseError> {
        let connection = match self.dialect() {
            Dialect::Sqlite(backend) => Connection::Sqlite(backend.begin().await?),
            Dialect::Postgres(backend) => Connection::Postgres(backend.begin(now).await?),
        };
        Ok(Tx::new(connection, now, Arc::clone(&self.inner.ids)))
    }

    /// A write transaction that waits for the one before it only with its first statement that somebody waits for, or with its commit.
    /// On SQLite there is none: what is left to a commit is written at once there.
    pub fn begin_behind(&self, now: Timestamp) -> Option<Tx> {
        match self.dialect() {
            Dialect::Sqlite(_) => None,
            Dialect::Postgres(backend) => Some(Tx::new(Connection::Postgres(backend.begin_behind(now)), now, Arc::clone(&self.inner.ids))),
        }
    }

    /// Reads committed data.
    pub fn reader(&self) -> Reader {
        Reader::new(self.clone())
    }

    /// Hears what others tell on this channel from now on.
    pub async fn listen(&self, channel: &str) -> Result<Listener, DatabaseError> {
        Ok(Listener(match self.dialect() {
            Dialect::Sqlite(_) => None,
            Dialect::Postgres(backend) => Some(backend.listen(channel).await?),
        }))
    }

    /// Tells whoever listens on this channel, at once and without waiting for the disk: it is lost when the machine fails right then.
    /// What must be told with a commit goes by [`Tx::notify`]; the payload has as much room. On SQLite nobody else is there.
    pub async fn tell(&self, channel: &'static str, payload: &str) -> Result<(), DatabaseError> {
        match self.dialect() {
            Dialect::Sqlite(_) => Ok(()),
            Dialect::Postgres(backend) => {
                let sql = "SELECT set_config('synchronous_commit', 'off', true) AS set, pg_notify($1, $2) IS NULL AS told";
                backend.read(sql, crate::args![channel, payload]).await.map(drop)
            }
        }
    }

    /// The database's file, when it is one.
    pub fn path(&self) -> Option<&Path> {
        match self.dialect() {
            Dialect::Sqlite(backend) => Some(backend.path()),
            Dialect::Postgres(_) => None,
        }
    }

    /// For `onward doctor`.
    pub async fn report(&self) -> Result<Report, DatabaseError> {
        match self.dialect() {
            Dialect::Sqlite(backend) => backend.report().await,
            Dialect::Postgres(backend) => backend.report().await,
        }
    }

    /// House-keeping for quiet moments: cuts the write-ahead log back and gives freed pages back to the disk. PostgreSQL does
    /// both by itself.
    pub async fn tidy(&self) -> Result<(), DatabaseError> {
        match self.dialect() {
            Dialect::Sqlite(backend) => backend.tidy().await,
            Dialect::Postgres(_) => Ok(()),
        }
    }

    /// Writes a copy of the committed state into a new file; may run beside everything else. Its size in bytes. SQLite only:
    /// PostgreSQL brings its own tools.
    pub async fn backup(&self, file: &Path) -> Result<u64, DatabaseError> {
        match self.dialect() {
            Dialect::Sqlite(backend) => backend.backup(file).await,
            Dialect::Postgres(backend) => {
                let reason = format!("{} is a PostgreSQL database; back it up with `pg_dump --format=custom`, or by archiving its log", backend.name());
                Err(DatabaseError::Unfit(reason))
            }
        }
    }

    /// Closes the connections in order. Not needed for what is committed; after it every use fails.
    pub async fn close(&self) {
        match self.dialect() {
            Dialect::Sqlite(backend) => backend.close().await,
            Dialect::Postgres(backend) => backend.close().await,
        }
    }
}

impl Disk for Database {
    fn bytes_left(&self) -> Option<u64> {
        match self.dialect() {
            Dialect::Sqlite(backend) => backend.disk_bytes_left(),
            // Its disk is another machine's.
            Dialect::Postgres(_) => None,
        }
    }
}

/// What a URL names.
#[derive(Debug, PartialEq, Eq)]
enum Location<'u> {
    /// A path, or `:memory:`.
    Sqlite(&'u str),
    /// The whole URL.
    Postgres(&'u str),
}

impl<'u> Location<'u> {
    fn parse(url: &'u str) -> Result<Self, DatabaseError> {
        let bad = |reason: &str| Err(DatabaseError::Url { url: without_password(url), reason: reason.to_owned() });
        let Some((scheme, rest)) = url.split_once(':') else {
            return bad("it has no scheme; write sqlite://PATH, for example sqlite://onward.db");
        };
        match scheme {
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => bad("it names no file; write sqlite://PATH, for example sqlite://onward.db"),
                path if path.contains('?') => bad("parameters after `?` are not supported; leave them out"),
                path => Ok(Self::Sqlite(path)),
            },
            "postgres" | "postgresql" if rest.starts_with("//") => Ok(Self::Postgres(url)),
            "postgres" | "postgresql" => bad("write postgres://USER:PASSWORD@HOST/DATABASE"),
            other => bad(&format!("the scheme `{other}` is unknown; use sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE")),
        }
    }
}

/// The URL as it may be shown.
pub fn without_password(url: &str) -> String {
    match url.rsplit_once('@') {
        Some((before, host)) => format!("{}://…@{host}", before.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_or_refused_with_a_remedy() {
        assert_eq!(Location::parse("sqlite://onward.db"), Ok(Location::Sqlite("onward.db")));
        assert_eq!(Location::parse("sqlite:///var/lib/onward.db"), Ok(Location::Sqlite("/var/lib/onward.db")));
        assert_eq!(Location::parse("sqlite::memory:"), Ok(Location::Sqlite(":memory:")));
        assert_eq!(Location::parse("postgres://user:secret@host/db"), Ok(Location::Postgres("postgres://user:secret@host/db")));
        for (url, says) in [
            ("onward.db", "no scheme"),
            ("sqlite://", "no file"),
            ("sqlite://a.db?mode=ro", "parameters"),
            ("postgres:user:secret@host/db", "postgres://USER"),
            ("mysql://x", "unknown"),
        ] {
            let text = Location::parse(url).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
