//! Backups: a consistent copy beside whoever writes, one now and then as a background job, and the way back.

use crate::{
    Database, DatabaseError,
    jobs::{Done, JobFailure, JobHandler, JobRun, NewJob, SERVER},
    sqlite::{FileLock, backup},
};
use onward_core::{
    async_trait,
    ports::{Clock, Ids},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Writes the committed state of a database file into a new file, which only its owner may read; its size in bytes. May run beside a
/// server on the file. The copy is checked, and is there under its name only when it is whole and on the disk.
pub async fn back_up(database: &Path, file: &Path) -> Result<u64, DatabaseError> {
    backup::copy(database, file).await
}

/// A backup on its way back into its place. Until [`Restore::finish`] nothing has changed.
pub struct Restore {
    database: PathBuf,
    part: PathBuf,
    _lock: FileLock,
}

impl std::fmt::Debug for Restore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Restore({})", self.database.display())
    }
}

impl Restore {
    /// Checks a backup and copies it beside the place where it is to be; the copy is open, for what must be in it before anybody uses
    /// it. Refused while a server runs on the place, and over a database that is there unless it is to be moved `aside`.
    pub async fn begin(file: &Path, database: &Path, aside: bool, ids: Arc<dyn Ids>) -> Result<(Self, Database), DatabaseError> {
        let lock = FileLock::take(database)?;
        if !aside && fs::symlink_metadata(database).is_ok() {
            return Err(DatabaseError::Unfit(format!("{} is there already; with --force it is moved aside", database.display())));
        }
        backup::check(file).await?;
        let part = backup::beside(database, ".restoring");
        for ending in ["", "-wal", "-shm", ".lock"] {
            remove(&backup::beside(&part, ending))?;
        }
        backup::copy_bytes(file, &part)?;
        let open = Database::open(&format!("sqlite://{}", part.display()), ids).await?;
        Ok((Self { database: database.to_owned(), part, _lock: lock }, open))
    }

    /// Puts the copy, which is closed by now, into its place; where a database that was there went. What was there is moved aside with
    /// its log: both belong together.
    pub fn finish(self, moved_aside: &str) -> Result<Option<PathBuf>, DatabaseError> {
        if fs::symlink_metadata(backup::beside(&self.part, "-wal")).is_ok_and(|log| log.len() > 0) {
            return Err(DatabaseError::Unfit(format!("{} could not be closed; remove it and restore again", self.part.display())));
        }
        let aside = backup::beside(&self.database, moved_aside);
        let failed = |error: io::Error| DatabaseError::Unfit(format!("{}: {error}", self.database.display()));
        let mut moved = false;
        // The log first: between the two a file without its log is an older state and not a wrong one.
        for ending in ["-wal", "-shm", ""] {
            match fs::rename(backup::beside(&self.database, ending), backup::beside(&aside, ending)) {
                Ok(()) => moved |= ending.is_empty(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        backup::put_in_place(&self.part, &self.database)?;
        for ending in ["-wal", "-shm", ".lock"] {
            remove(&backup::beside(&self.part, ending))?;
        }
        Ok(moved.then_some(aside))
    }
}

fn remove(file: &Path) -> Result<(), DatabaseError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DatabaseError::Unfit(format!("{}: {error}", file.display()))),
        _ => Ok(()),
    }
}

/// The queue of scheduled backups.
pub const QUEUE: &str = "backup";
/// What their files begin and end with.
const NAME: (&str, &str) = ("onward-", ".db");

/// Backs the database up now and then, as a background job.
pub struct ScheduledBackups {
    database: Database,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
    every_ms: i64,
    keep: usize,
}

impl ScheduledBackups {
    /// Into this folder, which is made where it is not there, so often, and keeps so many of the newest.
    pub fn new(database: Database, clock: Arc<dyn Clock>, folder: PathBuf, every_ms: i64, keep: usize) -> Result<Self, DatabaseError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(|error| DatabaseError::Unfit(format!("{}: {error}", folder.display())))?;
        Ok(Self { database, clock, folder, every_ms: every_ms.max(60_000), keep: keep.max(1) })
    }

    /// The job that a server with scheduled backups has.
    pub fn job() -> NewJob {
        NewJob::new(SERVER, QUEUE, serde_json::json!({})).unique(QUEUE).attempts(u32::MAX)
    }

    /// Removes all but the newest; names are in order of time.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let name = file?.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(NAME.0) && name.ends_with(NAME.1)) {
                files.push(self.folder.join(name));
            }
        }
        files.sort();
        for old in files.iter().rev().skip(self.keep) {
            fs::remove_file(old)?;
        }
        Ok(())
    }
}

#[async_trait]
impl JobHandler for ScheduledBackups {
    fn queue(&self) -> &'static str {
        QUEUE
    }
    async fn run(&self, _: JobRun) -> Result<Done, JobFailure> {
        let now = self.clock.now();
        let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let file = self.folder.join(format!("{}{stamp}{}", NAME.0, NAME.1));
        let bytes = self.database.backup(&file).await?;
        self.prune().map_err(|error| JobFailure::passing(format!("{}: {error}", self.folder.display())))?;
        tracing::info!(file = %file.display(), bytes, "the database was backed up");
        Ok(Done::Again { at: now.plus_millis(self.every_ms), output: serde_json::json!({ "file": file, "bytes": bytes }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Query as _, SystemIds, args};
    use onward_core::Timestamp;

    async fn open(file: &Path) -> Database {
        Database::open(&format!("sqlite://{}", file.display()), Arc::new(SystemIds::new())).await.unwrap()
    }

    async fn set(database: &Database, epoch: i64) {
        let mut tx = database.begin(Timestamp::MIN).await.unwrap();
        tx.execute("UPDATE leases SET epoch = $1 WHERE shard = 0", args![epoch]).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn epoch(database: &Database) -> i64 {
        database.reader().fetch_one("SELECT epoch FROM leases WHERE shard = 0", args![]).await.unwrap().get("epoch").unwrap()
    }

    async fn restore(file: &Path, database: &Path, aside: bool) -> Result<Option<PathBuf>, DatabaseError> {
        let (restore, open) = Restore::begin(file, database, aside, Arc::new(SystemIds::new())).await?;
        open.close().await;
        drop(open);
        restore.finish(".before")
    }

    #[tokio::test]
    async fn a_backup_is_private_whole_and_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("onward.db"), folder.path().join("copy.db"));
        let database = open(&file).await;
        set(&database, 5).await;
        let bytes = back_up(&file, &copy).await.unwrap();
        assert_eq!(fs::metadata(&copy).unwrap().len(), bytes);
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&copy).unwrap().permissions()) & 0o777, 0o600);
        assert!(back_up(&file, &copy).await.unwrap_err().to_string().contains("there already"));
        let nowhere = back_up(&folder.path().join("none.db"), &folder.path().join("other.db")).await.unwrap_err();
        assert!(nowhere.to_string().contains("no database"), "{nowhere}");
        back_up(&file, &folder.path().join("no/such/folder.db")).await.unwrap_err();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().filter_map(|file| file.unwrap().file_name().into_string().ok()).collect();
        assert!(left.iter().all(|name| name.starts_with("onward.db") || name == "copy.db"), "{left:?}");
        database.close().await;
    }

    #[tokio::test]
    async fn a_restore_is_refused_where_it_would_destroy_or_bring_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (file, copy) = (folder.path().join("onward.db"), folder.path().join("copy.db"));
        let database = open(&file).await;
        set(&database, 1).await;
        back_up(&file, &copy).await.unwrap();
        set(&database, 2).await;
        assert!(matches!(restore(&copy, &file, true).await.unwrap_err(), DatabaseError::InUse { .. }), "a server runs");
        database.close().await;
        drop(database);
        assert!(restore(&copy, &file, false).await.unwrap_err().to_string().contains("--force"));
        let mut damaged = fs::read(&copy).unwrap();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 4_096].fill(0x5a);
        for (name, bytes) in [("damaged.db", damaged), ("short.db", fs::read(&copy).unwrap()[..5_000].to_vec()), ("text.db", b"hello".repeat(900))] {
            let broken = folder.path().join(name);
            fs::write(&broken, bytes).unwrap();
            let refused = restore(&broken, &file, true).await.unwrap_err();
            assert!(refused.to_string().contains("no whole copy"), "{name}: {refused}");
        }
        let database = open(&file).await;
        assert_eq!(epoch(&database).await, 2, "nothing has changed");
        database.close().await;
        drop(database);
        let aside = restore(&copy, &file, true).await.unwrap().unwrap();
        let (restored, before) = (open(&file).await, open(&aside).await);
        assert_eq!((epoch(&restored).await, epoch(&before).await), (1, 2));
        restored.close().await;
        before.close().await;
    }
}
