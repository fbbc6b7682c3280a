//! Databases for tests: a fresh one each, gone with its handle.
//!
//! `ONWARD_TEST_DATABASE=postgres` runs the same tests on PostgreSQL: on the server that `ONWARD_TEST_POSTGRES` names, else on a
//! throwaway one that lives as long as this process. Not part of the product: only with the feature `testing`.

#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a test without its database fails")]

mod partition;
mod two_servers;

pub use partition::Partition;
pub use two_servers::TwoServers;

use crate::{Database, SystemIds};
use onward_core::ports::Ids;
use sqlx::{ConnectOptions as _, Connection as _, postgres::PgConnectOptions};
use std::{
    path::Path,
    process::Command,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::OnceCell;

/// Whether the tests run on PostgreSQL.
pub fn on_postgres() -> bool {
    std::env::var("ONWARD_TEST_DATABASE").is_ok_and(|database| database == "postgres")
}

/// A fresh database with the ids of the real world.
pub async fn database() -> Database {
    database_with(Arc::new(SystemIds::new())).await
}

/// A fresh database of the kind that the tests run on.
pub async fn database_with(ids: Arc<dyn Ids>) -> Database {
    if on_postgres() { postgres_with(ids).await } else { Database::open("sqlite::memory:", ids).await.expect("a SQLite database") }
}

/// A fresh PostgreSQL database, whatever the tests run on.
pub async fn postgres_with(ids: Arc<dyn Ids>) -> Database {
    let throwaway = ThrowawayDatabase::create().await;
    let database = Database::open(throwaway.url(), ids).await.expect("a PostgreSQL database");
    database.keep(Box::new(throwaway));
    database
}

/// A PostgreSQL database that is dropped with its handle.
#[derive(Debug)]
pub struct ThrowawayDatabase {
    server: PgConnectOptions,
    name: String,
    url: String,
}

impl ThrowawayDatabase {
    /// A copy of a database that is up to date.
    pub async fn create() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let server = PgConnectOptions::from_str(server().await).expect("the test server's URL");
        let template = template(&server).await;
        let name = format!("onward_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        run(&server, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { url: url_of(&server, &name), server, name }
    }

    /// Without any table.
    pub async fn empty() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let server = PgConnectOptions::from_str(server().await).expect("the test server's URL");
        let name = format!("onward_empty_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        run(&server, format!("CREATE DATABASE {name}")).await;
        Self { url: url_of(&server, &name), server, name }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ThrowawayDatabase {
    fn drop(&mut self) {
        // The test's own runtime may be gone, or be the one that this would block.
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(&server, sql));
        });
        let _ = dropping.join();
    }
}

fn url_of(server: &PgConnectOptions, name: &str) -> String {
    format!("postgres://{}@{}:{}/{name}", server.get_username(), server.get_host(), server.get_port())
}

async fn run(server: &PgConnectOptions, sql: String) {
    let mut connection = server.clone().disable_statement_logging().connect().await.expect("a connection to the test server");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.expect("the connection ends");
}

/// A migrated database to copy; made by the first process that needs it, while the others wait.
async fn template(server: &PgConnectOptions) -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = format!("onward_template_{:016x}", crate::migrations::postgres_fingerprint());
            let mut connection = server.clone().disable_statement_logging().connect().await.expect("a connection to the test server");
            sqlx::raw_sql("SELECT pg_advisory_lock(7001)").execute(&mut connection).await.expect("a lock");
            let known = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(&name).fetch_optional(&mut connection).await.expect("a list");
            if known.is_none() {
                let making = format!("{name}_making");
                run(server, format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await;
                run(server, format!("CREATE DATABASE {making}")).await;
                let database = Database::open(&url_of(server, &making), Arc::new(SystemIds::new())).await.expect("a migrated database");
                database.close().await;
                drop(database);
                run(server, format!("ALTER DATABASE {making} RENAME TO {name}")).await;
            }
            connection.close().await.expect("the connection ends");
            name
        })
        .await
        .clone()
}

/// The URL of the server.
async fn server() -> &'static str {
    static SERVER: OnceCell<String> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            if let Ok(url) = std::env::var("ONWARD_TEST_POSTGRES") {
                return url;
            }
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
            let output = Command::new(script).arg(std::process::id().to_string()).output().expect("scripts/postgres.sh runs");
            assert!(output.status.success(), "scripts/postgres.sh: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
        .await
}
