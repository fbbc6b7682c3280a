//! What is forgotten, when, and what is not.

use super::{Server, WORKFLOW};
use crate::retention::{Archive, Forgotten, Retention};
use flate2::read::MultiGzDecoder;
use http::Method;
use onward_core::{
    NewEvent, Timestamp, Value, limits,
    ports::{Lane, write},
};
use onward_database::{DatabaseError, Query as _, Tx, args};
use serde_json::json;
use std::io::Read as _;

const DAY_MS: i64 = 86_400_000;

const SLEEPS: &str = "name: sleeps
on: [{ manual: {} }]
steps:
  - delay: 3650d
";

/// Makes everything that is stored look as many days older: the clock cannot be moved under a running engine.
async fn age(server: &Server, days: i64) {
    let by = days * DAY_MS;
    let aged = write(server.app.engine(), Lane::Normal, move |tx: &mut Tx| {
        Box::pin(async move {
            for sql in [
                "UPDATE runs SET ended_at = ended_at - $1 WHERE ended_at IS NOT NULL",
                "UPDATE event_keys SET taken_in_at = taken_in_at - $1",
                "UPDATE event_correlations SET taken_in_at = taken_in_at - $1",
            ] {
                tx.execute(sql, args![by]).await?;
            }
            // Ids say when their record was made: their first six bytes.
            for (table, column) in [("runs", "id"), ("history", "run"), ("payloads", "run"), ("timers", "run"), ("events", "id"), ("event_notes", "event")] {
                let (select, update) = statements(table, column);
                for row in &tx.fetch_all(select, args![]).await? {
                    let id: uuid::Uuid = row.get("id")?;
                    let older = uuid::Uuid::from_u128(id.as_u128() - (u128::from(by as u64) << 80));
                    tx.execute(update, args![id, older]).await?;
                }
            }
            Ok::<_, DatabaseError>(())
        })
    });
    aged.await.unwrap().unwrap();
}

fn statements(table: &str, column: &str) -> (&'static str, &'static str) {
    match (table, column) {
        ("runs", _) => ("SELECT DISTINCT id AS id FROM runs", "UPDATE runs SET id = $2 WHERE id = $1"),
        ("history", _) => ("SELECT DISTINCT run AS id FROM history", "UPDATE history SET run = $2 WHERE run = $1"),
        ("payloads", _) => ("SELECT DISTINCT run AS id FROM payloads", "UPDATE payloads SET run = $2 WHERE run = $1"),
        ("timers", _) => ("SELECT DISTINCT run AS id FROM timers", "UPDATE timers SET run = $2 WHERE run = $1"),
        ("events", _) => ("SELECT DISTINCT id AS id FROM events", "UPDATE events SET id = $2 WHERE id = $1"),
        _ => ("SELECT DISTINCT event AS id FROM event_notes", "UPDATE event_notes SET event = $2 WHERE event = $1"),
    }
}

async fn count(server: &Server, sql: &'static str) -> i64 {
    server.app.reader().fetch_one(sql, args![]).await.unwrap().get("n").unwrap()
}

async fn round(server: &Server) -> Forgotten {
    Retention::new(server.app.clone(), None).round(true, &|| false).await.unwrap()
}

async fn run_hello(server: &Server, name: &str) -> String {
    let started = server.post("/api/v1/workflows/hello/runs", json!({ "input": { "name": name } })).await.expect(202).json();
    let id = started["run_id"].as_str().unwrap().to_owned();
    server.ended(&id).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_when_they_have_had_their_time_and_not_before_and_never_alive() {
    let server = Server::start().await;
    server.publish().await;
    server.post("/api/v1/workflows/sleeps/publish", json!({ "source": SLEEPS })).await.expect(200);
    for n in 0..5 {
        run_hello(&server, &"x".repeat(n * 3_000 + 1)).await;
    }
    let sleeping = server.post("/api/v1/workflows/sleeps/runs", json!({})).await.expect(202).json()["run_id"].as_str().unwrap().to_owned();
    server.waiting(&sleeping).await;
    age(&server, 29).await;
    assert_eq!(round(&server).await.runs, 0, "nothing early");
    age(&server, 2).await;
    let newer = run_hello(&server, "newer").await;
    assert_eq!(round(&server).await.runs, 5);
    assert_eq!(count(&server, "SELECT count(*) AS n FROM runs").await, 2);
    assert_eq!(count(&server, "SELECT count(DISTINCT run) AS n FROM history").await, 2);
    assert_eq!(count(&server, "SELECT count(*) AS n FROM timers").await, 1, "what lives is never touched");
    assert_eq!(count(&server, "SELECT count(*) AS n FROM forgotten_runs").await, 0);
    assert!(count(&server, "SELECT count(*) AS n FROM run_keys").await >= 5, "when a key's last run ended is remembered longer than the runs");
    server.get(&format!("/api/v1/runs/{newer}")).await.expect(200);
    assert_eq!(round(&server).await.runs, 0);
    server.app.engine().shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_may_have_a_rule_of_its_own() {
    let server = Server::start().await;
    server.publish().await;
    run_hello(&server, "a").await;
    assert_eq!(server.get("/api/v1/retention").await.expect(200).json(), json!({ "days": 30, "workflows": {} }));
    let rules = json!({ "days": 7, "workflows": { "hello": 365 } });
    assert_eq!(server.call(Method::PUT, "/api/v1/retention", rules.clone()).await.expect(200).json(), rules);
    assert_eq!(server.get("/api/v1/retention").await.json(), rules);
    for wrong in [json!({ "days": 0 }), json!({ "days": 30, "workflows": { "hello": 0 } }), json!({ "days": 30, "workflows": { "": 3 } })] {
        server.call(Method::PUT, "/api/v1/retention", wrong).await.problem(422, "invalid_input");
    }
    age(&server, 100).await;
    assert_eq!(round(&server).await.runs, 0);
    server.call(Method::PUT, "/api/v1/retention", json!({ "days": 7 })).await.expect(200);
    assert_eq!(round(&server).await.runs, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_of_a_forgotten_run_goes_with_the_next_round() {
    let server = Server::start().await;
    server.publish().await;
    for n in 0..3 {
        run_hello(&server, &n.to_string()).await;
    }
    age(&server, 40).await;
    // As after a crash right behind the first transaction: the rows are gone, the histories are there.
    let organisation = server.organisation;
    let now = server.app.now();
    let cut = write(server.app.engine(), Lane::Low, move |tx: &mut Tx| {
        Box::pin(async move {
            let found = onward_store::retention::old_runs(tx, organisation, "hello", now, None, 10).await?;
            let found: Vec<_> = found.into_iter().map(|(_, run)| run).collect();
            onward_store::retention::forget_runs(tx, organisation, &found, now).await
        })
    });
    assert_eq!(cut.await.unwrap().unwrap(), 3);
    assert_eq!(server.get("/api/v1/runs").await.items(), Vec::<Value>::new());
    assert!(count(&server, "SELECT count(*) AS n FROM history").await > 0);
    round(&server).await;
    assert_eq!(count(&server, "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM payloads) + (SELECT count(*) FROM forgotten_runs) AS n").await, 0);
    // A round that is stopped before its first piece does nothing.
    run_hello(&server, "again").await;
    age(&server, 40).await;
    assert_eq!(Retention::new(server.app.clone(), None).round(true, &|| true).await.unwrap(), Forgotten::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_archived_before_they_go_and_can_be_replayed_from_there() {
    let server = Server::start().await;
    server.publish().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(run_hello(&server, &n.to_string()).await);
    }
    let exported = server.get(&format!("/api/v1/runs/{}/export", ids[0])).await.expect(200).json();
    assert_eq!(exported["definition"]["source"], WORKFLOW);
    age(&server, 31).await;
    let folder = tempfile::tempdir().unwrap();
    // A folder that cannot be written keeps the runs.
    let broken = folder.path().join("broken");
    let archive = Archive::open(broken.clone()).unwrap();
    std::fs::remove_dir(&broken).unwrap();
    std::fs::write(&broken, "a file").unwrap();
    Retention::new(server.app.clone(), Some(archive)).round(true, &|| false).await.unwrap_err();
    assert_eq!(count(&server, "SELECT count(*) AS n FROM runs").await, 3);
    let archive = Archive::open(folder.path().join("archive")).unwrap();
    let gone = Retention::new(server.app.clone(), Some(archive)).round(true, &|| false).await.unwrap();
    assert_eq!((gone.runs, gone.archived), (3, 3));
    let files: Vec<_> =
        std::fs::read_dir(folder.path().join("archive").join(server.organisation.to_string())).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let mut text = String::new();
    MultiGzDecoder::new(std::fs::File::open(&files[0]).unwrap()).read_to_string(&mut text).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        crate::export::read(line).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_their_identities_go_after_ninety_days() {
    let server = Server::start().await;
    let event = || NewEvent::new(server.organisation, "a.b", "test", Value::Null).with_id("1");
    let ingest = async || server.app.engine().ingest(vec![event()]).await.unwrap()[0].duplicate;
    assert!(!ingest().await);
    age(&server, limits::DEDUPE_DAYS - 1).await;
    assert_eq!(round(&server).await, Forgotten::default());
    assert!(ingest().await);
    age(&server, 2).await;
    let gone = round(&server).await;
    assert_eq!((gone.events, gone.rows), (1, 1));
    assert!(!ingest().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_shrinks_and_nothing_goes_while_everything_is_paused() {
    let server = Server::start().await;
    server.publish().await;
    // Nothing that PostgreSQL could press together.
    let text = (0..20_000_u64).map(|n| format!("{:010x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24)).collect::<Vec<_>>().concat();
    for n in 0..40 {
        run_hello(&server, &format!("{n}{text}")).await;
    }
    age(&server, 31).await;
    let pause = onward_core::ports::Pause { scope: onward_core::ports::PauseScope::Everything, at: Timestamp::MIN, by: "test".into(), reason: None };
    server.app.engine().set_pause(pause.clone(), true).await.unwrap();
    assert_eq!(round(&server).await, Forgotten::default());
    server.app.engine().set_pause(pause, false).await.unwrap();
    let before = server.app.parts.database.report().await.unwrap();
    assert_eq!(round(&server).await.runs, 40);
    let is_file = server.app.parts.database.path().is_some();
    if !is_file {
        // What autovacuum does when it comes round: nothing of ours may keep it from what was deleted.
        server.app.parts.database.reader().fetch_all("VACUUM", args![]).await.unwrap();
    }
    let after = server.app.parts.database.report().await.unwrap();
    let freed = before.bytes.saturating_sub(after.bytes);
    assert!(freed > 40 * 200_000 && before.bytes > 10 << 20, "{} bytes, then {}", before.bytes, after.bytes);
    assert!(!is_file || after.bytes < before.bytes / 3, "{} bytes, then {}", before.bytes, after.bytes);
}

/// Rows that a piece may write: what is asked for at the most, and something of what belongs to it.
const PIECE_ROWS: u64 = 700;

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_goes_in_pieces_between_which_others_write() {
    let server = Server::start().await;
    server.publish().await;
    for n in 0..250 {
        run_hello(&server, &n.to_string()).await;
    }
    let rows = count(&server, "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM history) AS n").await as u64;
    assert!(rows >= 500, "{rows}");
    age(&server, 31).await;
    let ingested = std::sync::atomic::AtomicU64::new(0);
    let gone = {
        let (round, writing) = (Retention::new(server.app.clone(), None), server.app.engine().clone());
        let forgetting = async { round.round(true, &|| false).await.unwrap() };
        let others = async {
            loop {
                writing.ingest(vec![NewEvent::new(server.organisation, "a.b", "test", Value::Null)]).await.unwrap();
                ingested.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        };
        tokio::select! { gone = forgetting => gone, () = others => unreachable!() }
    };
    assert_eq!(gone.runs, 250);
    assert!(gone.largest_piece <= PIECE_ROWS && gone.pieces >= 4, "{gone:?}");
    let ingested = ingested.into_inner();
    assert!(ingested > 0, "others write meanwhile: {gone:?}");
    println!("retention: {rows} rows in {} pieces of at most {}, {ingested} events acknowledged meanwhile", gone.pieces, gone.largest_piece);
    server.app.engine().shutdown().await;
}
