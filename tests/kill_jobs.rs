//! The built binary, killed with `kill -9` amid a background job: each run that has had its time is archived and then gone, whole,
//! and nothing that lives is touched.
//!
//! `ONWARD_KILLS` says how often (6 when unset).

use super::{
    harness::{Home, Server, eventually, pause},
    kill::{number, text},
};
use onward_core::{Value, ports::Clock as _};
use onward_database::{Database, Query as _, SystemClock, SystemIds, args};
use serde_json::json;
use std::{collections::BTreeSet, io::Read as _, path::Path, sync::Arc};

const ENDED: &str = "name: ended
on:
  - event: run.wanted
steps:
  - id: note
    do: debug.log
    with: { message: \"{{ event.data.text }}\" }
  - stop: { output: done }
";

const LIVES: &str = "name: lives
on:
  - event: life.wanted
steps:
  - delay: 3650d
";

const RUNS: usize = 800;
const DAYS_MS: i64 = 40 * 86_400_000;

async fn open(home: &Home) -> Database {
    Database::open(&format!("sqlite://{}", home.database().display()), Arc::new(SystemIds::new())).await.unwrap()
}

async fn count(database: &Database, sql: &'static str) -> i64 {
    database.reader().fetch_one(sql, args![]).await.unwrap().get("n").unwrap()
}

/// Makes every run 40 days older, and the job due at once: its ids say when a run was made, in their first six bytes.
async fn age(database: &Database) {
    let mut tx = database.begin(SystemClock::new().now()).await.unwrap();
    tx.execute("UPDATE runs SET ended_at = ended_at - $1 WHERE ended_at IS NOT NULL", args![DAYS_MS]).await.unwrap();
    for row in &tx.fetch_all("SELECT id FROM runs", args![]).await.unwrap() {
        let id: uuid::Uuid = row.get("id").unwrap();
        let older = uuid::Uuid::from_u128(id.as_u128() - (u128::from(DAYS_MS.unsigned_abs()) << 80));
        for sql in [
            "UPDATE runs SET id = $2 WHERE id = $1",
            "UPDATE history SET run = $2 WHERE run = $1",
            "UPDATE payloads SET run = $2 WHERE run = $1",
            "UPDATE timers SET run = $2 WHERE run = $1",
        ] {
            tx.execute(sql, args![id, older]).await.unwrap();
        }
    }
    tx.execute("UPDATE jobs SET not_before = 0", args![]).await.unwrap();
    tx.commit().await.unwrap();
}

/// The ids of archived runs, in every whole file.
fn archived(folder: &Path) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for organisation in std::fs::read_dir(folder).into_iter().flatten() {
        for file in std::fs::read_dir(organisation.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "gz") {
                let mut lines = String::new();
                flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut lines).unwrap();
                ids.extend(lines.lines().map(|line| text(&serde_json::from_str::<Value>(line).unwrap()["run"]["id"])));
            }
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_amid_retention_every_run_is_archived_and_gone_and_none_that_lives() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("ended", ENDED).await;
    api.publish("lives", LIVES).await;
    let events: Vec<Value> = (0..RUNS).map(|n| json!({ "type": "run.wanted", "data": { "text": "x".repeat(n * 7) } })).collect();
    api.post("/api/v1/events", &json!(events)).await.expect(202);
    let life = text(&api.post("/api/v1/events", &json!({ "type": "life.wanted", "data": {} })).await.expect(202)["items"][0]["run_ids"][0]);
    api.run_in(&life, "waiting").await;
    eventually("all runs have ended", || async { (api.all("/api/v1/runs?workflow=ended&status=completed").await.len() == RUNS).then_some(()) }).await;
    assert!(server.stop().await.success());

    let database = open(&home).await;
    age(&database).await;
    let rows = database.reader().fetch_all("SELECT id FROM runs WHERE workflow = 'ended'", args![]).await.unwrap();
    let old: BTreeSet<String> = rows.iter().map(|row| row.get::<uuid::Uuid>("id").unwrap().to_string()).collect();
    database.close().await;
    drop(database);

    let folder = home.folder().join("archive");
    let archive = folder.to_str().unwrap();
    for kill in 0..number("ONWARD_KILLS", 6).min(12) {
        let server = Server::start_with(&home, "127.0.0.1:0", &["--archive-folder", archive]).await;
        pause(i64::try_from(kill).unwrap() * 25).await;
        server.kill().await;
        let database = open(&home).await;
        let left = database.reader().fetch_all("SELECT id FROM runs WHERE workflow = 'ended'", args![]).await.unwrap();
        let left: BTreeSet<String> = left.iter().map(|row| row.get::<uuid::Uuid>("id").unwrap().to_string()).collect();
        assert!(old.difference(&left).all(|gone| archived(&folder).contains(gone)), "a run went before its file was there");
        // Whatever the kill left of the job, it is there and comes again.
        let state: String = database.reader().fetch_one("SELECT state FROM jobs WHERE queue = 'retention'", args![]).await.unwrap().get("state").unwrap();
        assert!(["pending", "running"].contains(&state.as_str()), "{state}");
        let mut tx = database.begin(SystemClock::new().now()).await.unwrap();
        tx.execute("UPDATE jobs SET not_before = 0", args![]).await.unwrap();
        tx.commit().await.unwrap();
        database.close().await;
    }

    let server = Server::start_with(&home, "127.0.0.1:0", &["--archive-folder", archive]).await;
    let api = server.api(&home).await;
    eventually("all old runs are gone", || async { api.all("/api/v1/runs?workflow=ended").await.is_empty().then_some(()) }).await;
    assert_eq!(api.all("/api/v1/runs").await.len(), 1, "{life} lives");
    assert!(server.stop().await.success());
    assert_eq!(archived(&folder), old);
    let database = open(&home).await;
    let remains = "SELECT (SELECT count(*) FROM history WHERE run NOT IN (SELECT id FROM runs)) + (SELECT count(*) FROM payloads WHERE run NOT IN (SELECT id FROM runs)) AS n";
    eventually("a stop in the middle of it leaves only what is noted", || async {
        let noted = count(&database, "SELECT count(*) AS n FROM forgotten_runs").await;
        (noted > 0 || count(&database, remains).await == 0).then_some(())
    })
    .await;
    assert_eq!(count(&database, "SELECT count(*) AS n FROM timers").await, 1);
    database.close().await;
}
