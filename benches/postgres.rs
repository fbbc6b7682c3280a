//! A throwaway PostgreSQL that syncs, and its own limits.

use crate::Result;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Seconds that each limit is measured.
const LENGTH: u32 = 2;
/// Rows in a batched transaction.
const BATCH: u32 = 64;

/// A server that ends with this process.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    /// Without a database's name.
    url: String,
    programs: PathBuf,
}

/// What no program can pass on this server with one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Transactions of one row in a second.
    pub(crate) one_row_per_second: f64,
    /// Rows in a second, in transactions of 64 with one statement.
    pub(crate) batched_rows_per_second: f64,
}

impl Postgres {
    /// Starts one.
    pub(crate) fn start() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres.sh");
        let output = Command::new(script).args([&std::process::id().to_string(), "durable"]).output()?;
        if !output.status.success() {
            return Err(format!("scripts/postgres.sh: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let url = String::from_utf8(output.stdout)?.trim().trim_end_matches("/postgres").to_owned();
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")?.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
        versions.sort();
        let programs = versions.pop().ok_or("PostgreSQL's programs are not in /usr/lib/postgresql")?;
        Ok(Self { url, programs })
    }

    /// The URL of a database that is made for the caller.
    pub(crate) fn database(&self) -> Result<String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}", MADE.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!("{}/{name}", self.url))
    }

    /// Size of a database in bytes.
    pub(crate) fn bytes(&self, url: &str) -> Result<u64> {
        let name = url.rsplit('/').next().unwrap_or_default();
        Ok(self.psql(name, "SELECT pg_database_size(current_database())")?.parse()?)
    }

    /// Measures what the server can do, by PostgreSQL's own means.
    pub(crate) fn limits(&self, folder: &Path) -> Result<Limits> {
        let url = self.database()?;
        let name = url.rsplit('/').next().unwrap_or_default().to_owned();
        self.psql(&name, "CREATE TABLE entries (run UUID NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (run, seq))")?;
        self.psql(&name, "CREATE SEQUENCE places")?;
        let folder = tempfile::Builder::new().prefix("pgbench-").tempdir_in(folder)?;
        let rate = |rows: u32| -> Result<f64> {
            let file = folder.path().join(format!("{rows}.sql"));
            let insert = format!(
                "INSERT INTO entries SELECT md5((n % 64)::text)::uuid, nextval('places'), n, repeat('x', 200) FROM generate_series(1, {rows}) AS g (n);\n"
            );
            std::fs::write(&file, insert)?;
            let output = Command::new(self.programs.join("pgbench"))
                .args(["--no-vacuum", "--protocol=prepared", "--client=1", "--time", &LENGTH.to_string(), "--file"])
                .args([file.as_os_str(), url.as_ref()])
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
            Ok(tps.ok_or_else(|| format!("pgbench says no rate: {text}{}", String::from_utf8_lossy(&output.stderr)))? * f64::from(rows))
        };
        Ok(Limits { one_row_per_second: rate(1)?, batched_rows_per_second: rate(BATCH)? })
    }

    fn psql(&self, database: &str, sql: &str) -> Result<String> {
        let output = Command::new(self.programs.join("psql")).args(["-XAtqc", sql, &format!("{}/{database}", self.url)]).output()?;
        if !output.status.success() {
            return Err(format!("psql: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}
