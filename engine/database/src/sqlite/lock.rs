//! The lock beside the file: one process writes it.

use crate::DatabaseError;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// Held as long as the file is served. The operating system drops it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// The lock's path: `FILE.lock`.
    pub(crate) fn path_for(database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// Takes the lock and writes our process id into it, or names the process that has it.
    pub(crate) fn take(database: &Path) -> Result<Self, DatabaseError> {
        let path = Self::path_for(database);
        let failed = |error: std::io::Error| DatabaseError::Unfit(format!("the lock {} cannot be taken: {error}", path.display()));
        // Not truncated at opening: until the lock is ours, the text is another process's.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // Whoever can open it can hold it, and keep the server from starting.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Who holds it is for people; when it cannot be read the refusal stands all the same.
                let _ = file.read_to_string(&mut process);
                let process = match process.trim() {
                    "" => "unknown".to_owned(),
                    id => id.to_owned(),
                };
                return Err(DatabaseError::InUse { file: database.to_owned(), lock: path, process });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
