//! Opening a database by its URL.

use crate::{DatabaseError, Reader, Tx, sqlite};
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
}

/// Which database it is. PostgreSQL becomes a second variant.
enum Dialect {
    Sqlite(sqlite::Backend),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.sqlite().path().display())
    }
}

/// What `onward doctor` shows of a database.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Product and version.
    pub database: String,
    /// The file.
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
    /// Opens `sqlite://PATH` (made when it is not there) and brings its schema up to date; `sqlite::memory:` is a temporary
    /// file, for tests. `ids` is where [`onward_core::ports::Transaction::fresh_id`] gets its ids.
    ///
    /// # Errors
    /// [`DatabaseError::InUse`] when another process serves the file, [`DatabaseError::Unfit`] when the disk cannot keep what
    /// we promise, [`DatabaseError::Migration`] when a newer version wrote the file.
    pub async fn open(url: &str, ids: Arc<dyn Ids>) -> Result<Self, DatabaseError> {
        let dialect = match Location::parse(url)? {
            Location::Sqlite(location) => Dialect::Sqlite(sqlite::Backend::open(location).await?),
        };
        Ok(Self { inner: Arc::new(Inner { dialect, ids }) })
    }

    pub(crate) fn sqlite(&self) -> &sqlite::Backend {
        let Dialect::Sqlite(backend) = &self.inner.dialect;
        backend
    }

    /// Begins a write transaction, after the one that is open. `now` becomes [`onward_core::ports::Transaction::now`].
    ///
    /// Only the engine's committer, migrations of data and tests call this: everybody else writes through
    /// [`onward_core::ports::Writer`].
    pub async fn begin(&self, now: Timestamp) -> Result<Tx, DatabaseError> {
        Ok(Tx::new(self.sqlite().begin().await?, now, Arc::clone(&self.inner.ids)))
    }

    /// Reads committed data.
    pub fn reader(&self) -> Reader {
        Reader::new(self.clone())
    }

    /// The database's file, when it is one.
    pub fn path(&self) -> Option<&Path> {
        Some(self.sqlite().path())
    }

    /// For `onward doctor`.
    pub async fn report(&self) -> Result<Report, DatabaseError> {
        self.sqlite().report().await
    }

    /// House-keeping for quiet moments: cuts the write-ahead log back and gives freed pages back to the disk.
    pub async fn tidy(&self) -> Result<(), DatabaseError> {
        self.sqlite().tidy().await
    }

    /// Writes a copy of the committed state into a new file; may run beside everything else.
    pub async fn backup(&self, file: &Path) -> Result<(), DatabaseError> {
        self.sqlite().backup(file).await
    }

    /// Closes the connections in order. Not needed for what is committed; after it every use fails.
    pub async fn close(&self) {
        self.sqlite().close().await;
    }
}

impl Disk for Database {
    fn bytes_left(&self) -> Option<u64> {
        self.sqlite().disk_bytes_left()
    }
}

/// What a URL names.
#[derive(Debug, PartialEq, Eq)]
enum Location<'u> {
    /// A path, or `:memory:`.
    Sqlite(&'u str),
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
            "postgres" | "postgresql" => bad("PostgreSQL is not available in this version yet; use sqlite://PATH"),
            other => bad(&format!("the scheme `{other}` is unknown; use sqlite://PATH")),
        }
    }
}

/// The URL as it may be shown.
fn without_password(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?))) {
        Some((scheme, (_, host))) => format!("{scheme}://…@{host}"),
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
        for (url, says) in [
            ("onward.db", "no scheme"),
            ("sqlite://", "no file"),
            ("sqlite://a.db?mode=ro", "parameters"),
            ("postgres://user:secret@host/db", "not available in this version yet"),
            ("mysql://x", "unknown"),
        ] {
            let text = Location::parse(url).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
