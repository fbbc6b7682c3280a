//! `onward backup|restore`: a copy of the database beside a running server, and the way back (SEMANTICS.md 33).

use super::{Context, Failure};
use crate::{terminal, wiring};
use clap::Args;
use onward_core::ports::{Clock as _, Pause, PauseScope};
use onward_database::SystemClock;
use onward_database::{
    SystemIds, Tx,
    backup::{Restore as Restoring, back_up},
};
use serde_json::json;
use std::{path::PathBuf, sync::Arc};

/// Who paused everything, as a resume after a restore finds it.
pub(crate) const BY: &str = "restore";

/// Back the database up, while a server runs on it or not.
#[derive(Args, Debug)]
#[command(after_help = "The copy is consistent, checked, readable by its owner alone, and there under its name only when it is whole. The key that
opens the stored secrets (FILE.key beside the database, or ONWARD_SECRET_KEY) is not in it: keep it apart, and safe.

Examples:
  onward backup /backups/onward-monday.db
  onward serve --backup-folder /backups --backup-every 1d --backup-keep 7      scheduled")]
pub(crate) struct Backup {
    /// The new file.
    file: PathBuf,
}

impl Backup {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let database = local_file(&context, "backup")?;
        let bytes = back_up(&database, &self.file).await.map_err(|error| Failure::because("no backup was made", &error))?;
        let key = wiring::beside(&database, "key");
        let key = (wiring::secret_key().is_none() && key.exists()).then_some(key);
        let document = json!({ "database": database, "file": self.file, "bytes": bytes, "key_file": key });
        context.print(&document, |_| {
            let key = match &key {
                Some(key) => format!("\nIt cannot be read without the key {}: keep a copy of that apart.", key.display()),
                None => String::new(),
            };
            format!("{} holds {} ({bytes} bytes).{key}", self.file.display(), database.display())
        });
        Ok(())
    }
}

/// Put a backup in the place of the database; everything is paused until `onward resume`.
#[derive(Args, Debug)]
#[command(after_help = "Refused while a server runs on the database. Nothing is sent, started or fired after a restore until `onward resume`, which says
first what is due.

Examples:
  onward restore /backups/onward-monday.db
  onward restore /backups/onward-monday.db --force     a database that is there is moved aside
  onward resume --everything --dry-run                 what would be set going?")]
pub(crate) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Move a database that is there aside, instead of refusing.
    #[arg(long)]
    force: bool,
}

impl Restore {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let database = local_file(&context, "restore")?;
        let failed = |error: &dyn std::error::Error| Failure::because(format!("{} was not restored", self.file.display()), error);
        let now = SystemClock::new().now();
        let begun = Restoring::begin(&self.file, &database, self.force, Arc::new(SystemIds::new())).await;
        let (restoring, copy) = begun.map_err(|error| failed(&error))?;
        // Before the copy has its name: no server ever sees it unpaused.
        let paused = async {
            let mut tx: Tx = copy.begin(now).await?;
            let reason = Some(format!("restored from {}", self.file.display()));
            onward_store::pauses::add(&mut tx, &Pause { scope: PauseScope::Everything, at: now, by: BY.into(), reason }).await?;
            Ok::<_, onward_core::ports::StoreError>(tx)
        };
        let tx = paused.await.map_err(|error| failed(&error))?;
        tx.commit().await.map_err(|error| failed(&error))?;
        copy.close().await;
        drop(copy);
        let stamp: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
        let aside = restoring.finish(&format!(".before-restore-{stamp}")).map_err(|error| failed(&error))?;
        if wiring::secret_key().is_none() && !wiring::beside(&database, "key").exists() {
            terminal::say(&format!(
                "onward: there is no key {}: put the one of that time there, or set ONWARD_SECRET_KEY, or the stored secrets cannot be opened",
                wiring::beside(&database, "key").display()
            ));
        }
        let document = json!({ "database": database, "restored_from": self.file, "moved_aside": aside, "paused": true });
        context.print(&document, |_| {
            let aside = aside.as_ref().map(|aside| format!("\nWhat was there is now {}.", aside.display())).unwrap_or_default();
            format!(
                "{} is restored from {}.{aside}\nEverything is paused: `onward resume` says what is due and lets it go on.",
                database.display(),
                self.file.display()
            )
        });
        Ok(())
    }
}

fn local_file(context: &Context, command: &str) -> Result<PathBuf, Failure> {
    if context.place.server.is_some() {
        return Err(Failure::wrong_use(format!(
            "`onward {command}` works on the machine that has the database; leave --server out, and name it with --database"
        )));
    }
    wiring::database_file(&context.place.database)
        .ok_or_else(|| Failure::wrong_use(format!("`onward {command}` works on a SQLite file; PostgreSQL has its own tools (pg_dump, pg_basebackup)")))
}
