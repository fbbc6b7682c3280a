//! A temporary folder with a database.

use super::{
    Postgres,
    command::{self, Finished},
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A temporary folder with a database, or with one elsewhere; servers and commands work in it.
pub(crate) struct Home {
    folder: PathBuf,
    postgres: Option<Postgres>,
    _removed: Option<TempDir>,
}

impl Home {
    /// A fresh one.
    pub(crate) fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder: folder.path().to_owned(), postgres: None, _removed: Some(folder) }
    }
    /// A fresh one whose database is on a PostgreSQL of its own.
    pub(crate) fn on_postgres() -> Self {
        Self { postgres: Some(Postgres::start()), ..Self::fresh() }
    }
    /// Its PostgreSQL, where it has one.
    pub(crate) fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }
    /// In a folder that somebody else removes.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), postgres: None, _removed: None }
    }
    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("onward.db")
    }
    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
    /// Runs `onward` in the folder.
    pub(crate) async fn onward(&self, arguments: &[&str]) -> Finished {
        command::run(self, arguments, "").await
    }
    /// Runs `onward` in the folder, with something to read.
    pub(crate) async fn onward_reading(&self, arguments: &[&str], input: &str) -> Finished {
        command::run(self, arguments, input).await
    }
}
