//! Copies of a database file: made beside whoever writes it, checked, and put in place whole or not at all.

use super::{
    backend::{options, sync_folder},
    errors::translate,
    execute, fetch_all,
};
use crate::{Args, DatabaseError};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// A name beside a file: `FILE.ENDING`.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Writes the committed state of a database file into a new file, readable by its owner alone; the bytes of the copy. It is there under
/// its name when it is whole, was checked, and is on the disk.
pub(crate) async fn copy(source: &Path, target: &Path) -> Result<u64, DatabaseError> {
    if fs::symlink_metadata(target).is_ok() {
        return Err(DatabaseError::Unfit(format!("{} is there already; choose another name, or remove it first", target.display())));
    }
    if !source.is_file() {
        return Err(DatabaseError::Unfit(format!("there is no database {}", source.display())));
    }
    let part = beside(target, ".part");
    let copied = write(source, &part).await;
    if copied.is_err() {
        // What is left of it is of no use; the next one writes over it anyway.
        let _ = fs::remove_file(&part);
    }
    let bytes = copied?;
    put_in_place(&part, target)?;
    Ok(bytes)
}

async fn write(source: &Path, part: &Path) -> Result<u64, DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::Unfit(format!("{}: {error}", part.display()));
    let mut new = fs::OpenOptions::new();
    new.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let file = new.open(part).map_err(failed)?;
    let name = part.to_str().ok_or_else(|| DatabaseError::Unfit(format!("{}: the name is no UTF-8 text", part.display())))?;
    // Into a file that is there and empty, so that it never had other rights.
    let mut connection = options(source).create_if_missing(false).connect().await.map_err(|error| translate(&error))?;
    execute(&mut connection, "VACUUM INTO $1", crate::args![name]).await?;
    connection.close().await.map_err(|error| translate(&error))?;
    check(part).await?;
    file.sync_all().map_err(failed)?;
    Ok(file.metadata().map_err(failed)?.len())
}

/// Reads every page of a copy and refuses one that contradicts itself.
pub(crate) async fn check(file: &Path) -> Result<(), DatabaseError> {
    let not_whole = |reason: String| DatabaseError::Unfit(format!("{} is no whole copy of a database: {reason}", file.display()));
    let mut connection: SqliteConnection =
        options(file).create_if_missing(false).read_only(true).connect().await.map_err(|error| not_whole(translate(&error).to_string()))?;
    let found = fetch_all(&mut connection, "SELECT integrity_check AS found FROM pragma_integrity_check", Args::new()).await;
    let found = found.map_err(|error| not_whole(error.to_string()))?;
    let found: String = found.first().ok_or(DatabaseError::NoRow)?.get("found")?;
    if found != "ok" {
        return Err(not_whole(found));
    }
    let migrations = fetch_all(&mut connection, "SELECT version FROM _sqlx_migrations LIMIT 1", Args::new()).await;
    migrations.map_err(|_| not_whole("it is a database of another program".into()))?;
    connection.close().await.map_err(|error| translate(&error))
}

/// Gives a finished file its name, durably.
pub(crate) fn put_in_place(part: &Path, target: &Path) -> Result<(), DatabaseError> {
    fs::rename(part, target).and_then(|()| sync_folder(target)).map_err(|error| DatabaseError::Unfit(format!("{}: {error}", target.display())))
}

/// Copies a file's bytes into a new one that only its owner may read, durably.
pub(crate) fn copy_bytes(source: &Path, target: &Path) -> Result<(), DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::Unfit(format!("{} cannot be copied to {}: {error}", source.display(), target.display()));
    let mut new = fs::OpenOptions::new();
    new.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let mut into = new.open(target).map_err(failed)?;
    std::io::copy(&mut File::open(source).map_err(failed)?, &mut into).map_err(failed)?;
    into.sync_all().map_err(failed)
}
