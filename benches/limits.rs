//! The machine's own limits, measured in the same run on the same file system: what no durable engine can pass here.

use crate::{Result, clock, postgres, statistics};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::{
    fmt,
    fs::File,
    os::unix::fs::FileExt as _,
    path::Path,
    time::{Duration, Instant},
};

/// How long each limit is measured.
const LENGTH: Duration = Duration::from_secs(2);
/// A block as SQLite's write-ahead log writes it, roughly.
const BLOCK: usize = 4096;
/// Blocks of the file that is synced: written once before, so that a sync writes data and no metadata, as it is in a
/// write-ahead log that is used again from its start.
const BLOCKS: u64 = 1024;
/// Rows in a batched transaction.
const BATCH: usize = 64;
/// A row's payload: about what one step of a run leaves in its history.
const PAYLOAD: usize = 200;

/// The limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Blocks of 4 KiB that were written and synced, one after the other, in a second.
    pub(crate) fdatasync_per_second: f64,
    /// The median time of one, in microseconds.
    pub(crate) fdatasync_p50_micros: f64,
    /// Transactions of one row in a second: `synchronous=FULL`, write-ahead log, prepared statements.
    pub(crate) sqlite_one_row_per_second: f64,
    /// Rows in a second, in transactions of 64.
    pub(crate) sqlite_batched_rows_per_second: f64,
    /// Those of the PostgreSQL server, where it is what is measured on.
    pub(crate) postgres: Option<postgres::Limits>,
}

impl Limits {
    /// As they stand in a JSON line.
    pub(crate) fn json(&self) -> Value {
        json!({
            "fdatasync_per_s": self.fdatasync_per_second.round(),
            "fdatasync_p50_us": self.fdatasync_p50_micros.round(),
            "sqlite_one_row_tx_per_s": self.sqlite_one_row_per_second.round(),
            "sqlite_batched_rows_per_s": self.sqlite_batched_rows_per_second.round(),
            "postgres_one_row_tx_per_s": self.postgres.map(|postgres| postgres.one_row_per_second.round()),
            "postgres_batched_rows_per_s": self.postgres.map(|postgres| postgres.batched_rows_per_second.round()),
        })
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "fdatasync {:.0}/s (p50 {:.0} µs), SQLite one-row transactions {:.0}/s, batched rows {:.0}/s",
            self.fdatasync_per_second, self.fdatasync_p50_micros, self.sqlite_one_row_per_second, self.sqlite_batched_rows_per_second
        )?;
        match self.postgres {
            Some(postgres) => {
                write!(f, "; PostgreSQL one-row transactions {:.0}/s, batched rows {:.0}/s", postgres.one_row_per_second, postgres.batched_rows_per_second)
            }
            None => Ok(()),
        }
    }
}

/// Measures them in a folder.
pub(crate) fn measure(folder: &Path) -> Result<Limits> {
    let folder = tempfile::Builder::new().prefix("limits-").tempdir_in(folder)?;
    let (fdatasync_per_second, fdatasync_p50_micros) = fdatasync(&folder.path().join("blocks"))?;
    Ok(Limits {
        fdatasync_per_second,
        fdatasync_p50_micros,
        sqlite_one_row_per_second: rows(&folder.path().join("one.db"), 1)?,
        sqlite_batched_rows_per_second: rows(&folder.path().join("batched.db"), BATCH)?,
        postgres: None,
    })
}

fn fdatasync(file: &Path) -> Result<(f64, f64)> {
    let file = File::create_new(file)?;
    let block = [b'x'; BLOCK];
    for index in 0..BLOCKS {
        file.write_all_at(&block, index * BLOCK as u64)?;
    }
    file.sync_all()?;
    let mut micros = Vec::new();
    let begun = clock::now();
    for index in (0..BLOCKS).cycle() {
        let before = clock::now();
        if before - begun >= LENGTH {
            break;
        }
        file.write_all_at(&block, index * BLOCK as u64)?;
        file.sync_data()?;
        micros.push(before.elapsed().as_secs_f64() * 1e6);
    }
    let rate = per_second(micros.len(), begun);
    let p50 = statistics::percentile(&mut micros, 0.5).ok_or("not one block could be synced")?;
    Ok((rate, p50))
}

fn rows(file: &Path, batch: usize) -> Result<f64> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE entries (run BLOB NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, entry TEXT NOT NULL, PRIMARY KEY (run, seq)) STRICT, WITHOUT ROWID;",
    )?;
    let mut insert = connection.prepare("INSERT INTO entries (run, seq, at, entry) VALUES (?1, ?2, ?3, ?4)")?;
    let payload = "x".repeat(PAYLOAD);
    let begun = clock::now();
    let mut written = 0_i64;
    while begun.elapsed() < LENGTH {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..batch {
            // 64 runs side by side, each with a key that lies anywhere.
            let run = (written % 64) as u128 * 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
            insert.execute(params![run.to_be_bytes(), written, written, payload])?;
            written += 1;
        }
        connection.execute_batch("COMMIT")?;
    }
    Ok(per_second(written as usize, begun))
}

fn per_second(count: usize, begun: Instant) -> f64 {
    count as f64 / begun.elapsed().as_secs_f64()
}
