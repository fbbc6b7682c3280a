//! A SQLite file: opened, checked, migrated; its writer and its readers.

use super::{
    errors::{translate, translate_written},
    fetch_all,
    lock::FileLock,
    write::{Slot, WriteConnection},
    writing::{Failure, Writing},
};
use crate::{Args, DatabaseError, Report, Row, migrations};
use sqlx::{
    ConnectOptions as _, Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Mutex;

/// Reads that run side by side. Each has a thread of its own.
const READERS: u32 = 4;
/// Distinct statements that stay prepared on a connection; all of ours, with room.
const PREPARED_STATEMENTS: usize = 1_000;
/// How long a connection waits for a lock that another process holds for a moment (a backup, a checkpoint).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Free pages (1 MiB) that stay in the file.
const FREE_PAGES_KEPT: i64 = 256;
/// Pieces of 64 pages that one tidying gives back at the most: 1 GiB.
const PIECES_OF_A_TIDY: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Backend {
    path: PathBuf,
    writer: Arc<Mutex<Slot>>,
    readers: SqlitePool,
    // Fields are dropped in order: the connections, then the temporary folder, last the lock.
    temporary: Option<TemporaryFolder>,
    _lock: FileLock,
}

/// The folder of a database that lives as long as its handle.
#[derive(Debug)]
struct TemporaryFolder(PathBuf);

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // Left-overs in the folder for temporary files harm nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Backend {
    /// Opens `sqlite://PATH` (`sqlite::memory:` is a temporary file: write-ahead logging needs one).
    pub(crate) async fn open(location: &str) -> Result<Self, DatabaseError> {
        let mut temporary = None;
        let path = if location == ":memory:" {
            let folder = std::env::temp_dir().join(format!("onward-{}-{:016x}", std::process::id(), rand::random::<u64>()));
            std::fs::create_dir_all(&folder).map_err(|error| DatabaseError::Unfit(format!("{}: {error}", folder.display())))?;
            let path = folder.join("onward.db");
            temporary = Some(TemporaryFolder(folder));
            path
        } else {
            PathBuf::from(location)
        };
        let lock = FileLock::take(&path)?;
        make_private(&path)?;
        // Opened first: what a new file is to be (its vacuuming, its log) is decided before its first table.
        let slot = Slot::new(path.clone(), open_writer(&path)?);
        migrate(&path).await?;
        let options = options(&path).read_only(true).pragma("query_only", "ON").pragma("cache_size", "-4000");
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).test_before_acquire(false).idle_timeout(None).max_lifetime(None).connect_lazy_with(options);
        Ok(Self { path, writer: Arc::new(Mutex::new(slot)), readers, temporary, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are left on the file's disk; a temporary database is not looked after.
    pub(crate) fn disk_bytes_left(&self) -> Option<u64> {
        if self.temporary.is_some() {
            return None;
        }
        let room = rustix::fs::statvfs(&self.path).inspect_err(|error| tracing::debug!(%error, "the disk's room cannot be read")).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Begins a write transaction; waits for the one before it.
    pub(crate) async fn begin(&self) -> Result<WriteConnection, DatabaseError> {
        WriteConnection::begin(Arc::clone(&self.writer).lock_owned().await)
    }

    /// One statement on a reader.
    pub(crate) async fn read(&self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        let mut connection = self.readers.acquire().await.map_err(|error| translate(&error))?;
        fetch_all(&mut connection, sql, args).await
    }

    /// A reader that stays on one moment.
    pub(crate) async fn snapshot(&self) -> Result<ReadTransaction, DatabaseError> {
        let mut transaction = self.readers.begin().await.map_err(|error| translate(&error))?;
        // The snapshot is taken by the first read, not by BEGIN.
        fetch_all(&mut transaction, "SELECT 1 AS one FROM sqlite_schema LIMIT 1", Args::new()).await?;
        Ok(ReadTransaction(transaction))
    }

    /// Gives pages that deletions freed back to the disk, in pieces between which others write, and moves the write-ahead log into the
    /// file. Some free pages stay, to be written next.
    pub(crate) async fn tidy(&self) -> Result<(), DatabaseError> {
        for _ in 0..PIECES_OF_A_TIDY {
            let mut slot = self.writer.lock().await;
            let connection = slot.connection()?;
            let free = connection.run("SELECT freelist_count FROM pragma_freelist_count", &Args::new()).map_err(Failure::translate)?;
            let free: i64 = free.rows.first().ok_or(DatabaseError::NoRow)?.get("freelist_count")?;
            if free <= FREE_PAGES_KEPT {
                break;
            }
            connection.run("PRAGMA incremental_vacuum(64)", &Args::new()).map_err(Failure::translate)?;
            drop(slot);
            tokio::task::yield_now().await;
        }
        let mut slot = self.writer.lock().await;
        // Waits for nobody: a reader that stays on an older moment keeps its part of the log until the next time.
        slot.connection()?.run("PRAGMA wal_checkpoint(PASSIVE)", &Args::new()).map_err(Failure::translate)?;
        Ok(())
    }

    /// A copy of the committed state as a new file; its size in bytes.
    pub(crate) async fn backup(&self, file: &Path) -> Result<u64, DatabaseError> {
        super::backup::copy(&self.path, file).await
    }

    pub(crate) async fn report(&self) -> Result<Report, DatabaseError> {
        let mut slot = self.writer.lock().await;
        let done = slot.connection()?.run(
            "SELECT sqlite_version() AS version, (SELECT synchronous FROM pragma_synchronous) AS synchronous,
                (SELECT journal_mode FROM pragma_journal_mode) AS journal_mode, (SELECT page_count FROM pragma_page_count) AS pages,
                (SELECT freelist_count FROM pragma_freelist_count) AS free_pages, (SELECT page_size FROM pragma_page_size) AS page_size,
                (SELECT max(version) FROM _sqlx_migrations) AS migration",
            &Args::new(),
        );
        let row = done.map_err(Failure::translate)?.rows.into_iter().next().ok_or(DatabaseError::NoRow)?;
        let page_size: u64 = row.get("page_size")?;
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Report {
            database: format!("SQLite {}", row.get::<String>("version")?),
            path: Some(self.path.clone()),
            durability: format!("journal_mode={}, synchronous={}", row.get::<String>("journal_mode")?, row.get::<i64>("synchronous")?),
            migration: row.get("migration")?,
            bytes: row.get::<u64>("pages")?.saturating_mul(page_size),
            free_bytes: row.get::<u64>("free_pages")?.saturating_mul(page_size),
            log_bytes: std::fs::metadata(&log).map_or(0, |log| log.len()),
            disk_bytes_left: self.disk_bytes_left(),
        })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.lock().await.close().await;
    }
}

/// A read transaction; ended when dropped.
#[derive(Debug)]
pub(crate) struct ReadTransaction(Transaction<'static, Sqlite>);

impl ReadTransaction {
    pub(crate) async fn fetch_all(&mut self, sql: &'static str, args: Args) -> Result<Vec<Row>, DatabaseError> {
        fetch_all(&mut self.0, sql, args).await
    }
}

/// Makes a new file that only its owner may read: it holds people's data. SQLite gives its log and index the same rights.
/// An existing file keeps the rights that its owner gave it.
fn make_private(path: &Path) -> Result<(), DatabaseError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(DatabaseError::Unfit(format!("{}: {error}", path.display()))),
    }
}

/// Makes a name in a file's folder durable.
pub(super) fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(PREPARED_STATEMENTS)
        .row_buffer_size(512)
        // A failing read of a mapped page ends the process instead of the statement, and mapped pages count as memory used.
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// Opens the one writing connection and reads its settings back: SQLite takes a misspelt one without a word.
pub(super) fn open_writer(path: &Path) -> Result<Writing, DatabaseError> {
    let unfit = |error: DatabaseError| match error {
        DatabaseError::Failed(reason) => DatabaseError::Unfit(format!("{}: {reason}", path.display())),
        other => other,
    };
    let connection = Writing::open(path, BUSY_TIMEOUT).map_err(|error| unfit(translate_written(&error)))?;
    let done = connection.run(
        "SELECT (SELECT synchronous FROM pragma_synchronous) AS synchronous, (SELECT journal_mode FROM pragma_journal_mode) AS journal_mode,
            (SELECT foreign_keys FROM pragma_foreign_keys) AS foreign_keys",
        &Args::new(),
    );
    let row = done.map_err(|failure| unfit(failure.translate()))?.rows.into_iter().next().ok_or(DatabaseError::NoRow)?;
    check_settings(row.get("synchronous")?, &row.get::<String>("journal_mode")?, row.get("foreign_keys")?)?;
    Ok(connection)
}

/// Brings the schema up to date, on a connection of its own.
async fn migrate(path: &Path) -> Result<(), DatabaseError> {
    let mut connection = open_beside(path).await?;
    migrations::sqlite().run_direct(None, &mut connection, false).await.map_err(|error| migrations::refused(&error))?;
    connection.close().await.map_err(|error| translate(&error))
}

/// Opens a connection that writes beside the writer: migrations before it is used, and moving the log into the file. How it
/// syncs is its own setting, so it is set here too.
pub(super) async fn open_beside(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let options = options(path).synchronous(SqliteSynchronous::Full).pragma("cache_size", "-1000");
    options.connect().await.map_err(|error| translate(&error))
}

fn check_settings(synchronous: i64, journal_mode: &str, foreign_keys: bool) -> Result<(), DatabaseError> {
    if synchronous != 2 {
        return Err(DatabaseError::Unfit(format!("`PRAGMA synchronous` reads {synchronous} where FULL (2) was set: commits could be lost")));
    }
    if !journal_mode.eq_ignore_ascii_case("wal") {
        return Err(DatabaseError::Unfit(format!(
            "`PRAGMA journal_mode` reads `{journal_mode}` where WAL was set: put the file on a local disk (network file systems cannot share memory)"
        )));
    }
    if !foreign_keys {
        return Err(DatabaseError::Unfit("`PRAGMA foreign_keys` reads OFF where ON was set".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn a_new_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onward.db");
        let backend = Backend::open(path.to_str().unwrap()).await.unwrap();
        for ending in ["", "-wal", "-shm", ".lock"] {
            let file = format!("{}{ending}", path.display());
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
        }
        backend.close().await;
    }

    #[tokio::test]
    async fn the_disk_of_a_file_has_room_and_a_temporary_one_is_not_looked_after() {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::open(folder.path().join("onward.db").to_str().unwrap()).await.unwrap();
        assert!(backend.disk_bytes_left().unwrap() > 0);
        backend.close().await;
        let temporary = Backend::open(":memory:").await.unwrap();
        assert_eq!(temporary.disk_bytes_left(), None);
        temporary.close().await;
    }

    #[tokio::test]
    async fn a_long_log_is_moved_beside_the_writer_begins_anew_and_goes_with_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::open(folder.path().join("onward.db").to_str().unwrap()).await.unwrap();
        let mut checkpoints = backend.writer.lock().await.checkpoints();
        let mut tx = backend.begin().await.unwrap();
        tx.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, text TEXT) STRICT", &Args::new()).unwrap();
        tx.commit().unwrap();
        // 400 KiB a commit: the log is long after some forty, and looked at after every sixteenth.
        let commits = 128_i64;
        for _ in 0..2 {
            for _ in 0..commits / 2 {
                let mut tx = backend.begin().await.unwrap();
                tx.execute("INSERT INTO pages (text) VALUES (hex(zeroblob(200000)))", &Args::new()).unwrap();
                tx.commit().unwrap();
            }
            checkpoints.changed().await.unwrap();
        }
        let stored = backend.read("SELECT count(*) AS pages FROM pages WHERE length(text) = 400000", Args::new()).await.unwrap();
        assert_eq!(stored[0].get::<i64>("pages").unwrap(), commits);
        let report = backend.report().await.unwrap();
        let written = u64::try_from(commits).unwrap() * 400_000;
        assert!(report.log_bytes < written, "{report:?} after {written} bytes");
        backend.close().await;
        assert!(!folder.path().join("onward.db-wal").exists(), "the log is in the file");
    }

    #[test]
    fn settings_that_do_not_hold_are_refused() {
        assert_eq!(check_settings(2, "wal", true), Ok(()));
        for (synchronous, journal_mode, foreign_keys) in [(1, "wal", true), (2, "delete", true), (2, "wal", false)] {
            assert!(matches!(check_settings(synchronous, journal_mode, foreign_keys), Err(DatabaseError::Unfit(_))));
        }
    }
}
