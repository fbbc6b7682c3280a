//! `onward migrate`: brings a database's schema up to date.

use super::{Context, Failure};
use crate::wiring;
use clap::Args;
use onward_database::without_password;
use serde_json::json;

/// Bring the database's schema up to date. `serve` does so by itself; this is for doing it apart.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward migrate
  onward migrate --database sqlite:///var/lib/onward/onward.db")]
pub(crate) struct Migrate {}

impl Migrate {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let database = wiring::open_database(&context.place.database).await?;
        let report = database.report().await;
        database.close().await;
        let report = report.map_err(|error| Failure::because("the database was brought up to date and cannot be read", &error))?;
        let shown = without_password(&context.place.database);
        let document = json!({ "database": shown, "migration": report.migration });
        context.print(&document, |_| format!("{shown} is at migration {}", report.migration));
        Ok(())
    }
}
