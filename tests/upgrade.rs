//! What earlier releases left behind: their recorded histories replay on this one, and their databases, with runs in flight, open,
//! migrate and go on. `tests/fixtures/upgrade/README.md` says what is there and how a release adds its own:
//! `ONWARD_RECORD=NAME cargo test --test onward upgrade` writes a folder of that name.

use super::harness::{Api, Home, Server, eventually, workspace};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use onward_core::Value;
use serde_json::json;
use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// In the order in which they are published: `call` names what is there.
const WORKFLOWS: [&str; 11] = [
    "child.yaml",
    "verbs.yaml",
    "undone.yaml",
    "scripted.rhai",
    "sleeper.yaml",
    "listener.yaml",
    "asking.yaml",
    "held.yaml",
    "failing.yaml",
    "long.yaml",
    "long-scripted.rhai",
];
/// Runs that end by themselves, and are exported.
const ENDED: [(&str, &str); 3] = [("verbs", "completed"), ("undone", "failed"), ("scripted", "completed")];
/// Runs in flight, and in what state: a timer, a wait, a question, a failure, and two that have a checkpoint.
const IN_FLIGHT: [(&str, &str); 6] =
    [("sleeper", "waiting"), ("listener", "waiting"), ("asking", "waiting"), ("failing", "failed"), ("long", "waiting"), ("long-scripted", "waiting")];

fn fixtures() -> PathBuf {
    workspace().join("tests/fixtures/upgrade")
}

/// The folders of the releases.
fn releases() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(fixtures()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.join("runs").is_dir()).collect();
    folders.sort();
    folders
}

fn pack(text: &[u8], into: &Path) {
    let mut packed = GzEncoder::new(fs::File::create(into).unwrap(), Compression::best());
    packed.write_all(text).unwrap();
    packed.finish().unwrap();
}

fn unpack(from: &Path) -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(fs::File::open(from).unwrap()).read_to_end(&mut text).unwrap();
    text
}

async fn run_of(api: &Api, workflow: &str) -> Value {
    let mut runs = api.all(&format!("/api/v1/runs?workflow={workflow}")).await;
    assert_eq!(runs.len(), 1, "{workflow}: {runs:#?}");
    runs.remove(0)
}

async fn comes_to(api: &Api, workflow: &str, status: &str) -> Value {
    let id = run_of(api, workflow).await["id"].as_str().unwrap().to_owned();
    api.run_in(&id, status).await
}

async fn send(api: &Api, kind: &str, data: Value) {
    api.post("/api/v1/events", &json!({ "type": kind, "source": "fixture", "data": data })).await.expect(202);
}

/// Publishes everything, and brings a run of each to where it is recorded. The sleeper is the last: it must still sleep.
async fn live(api: &Api) {
    for name in WORKFLOWS {
        let source = fs::read_to_string(fixtures().join("workflows").join(name)).unwrap();
        api.publish(name.split('.').next().unwrap(), &source).await;
    }
    api.post("/api/v1/workflows/held/pause", &json!({})).await;
    for (kind, data) in [
        ("verbs", json!({ "key": "k", "name": "asha", "n": 7 })),
        ("undone", json!({})),
        ("scripted", json!({ "n": 4 })),
        ("listen", json!({ "k": "a" })),
        ("ask", json!({})),
        ("fail", json!({})),
        ("long", json!({ "k": "a" })),
    ] {
        send(api, &format!("fixture.{kind}"), data).await;
    }
    send(api, "fixture.held", json!({})).await;
    for (workflow, status) in ENDED.into_iter().chain(IN_FLIGHT.into_iter().skip(1)) {
        comes_to(api, workflow, status).await;
    }
    send(api, "fixture.sleep", json!({ "n": 3 })).await;
    comes_to(api, "sleeper", "waiting").await;
}

/// Writes what this release leaves behind.
async fn record(name: &str) {
    let folder = fixtures().join(name);
    fs::create_dir_all(folder.join("runs")).unwrap();
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    live(&api).await;
    for (workflow, _) in ENDED.into_iter().chain([("long", ""), ("long-scripted", "")]) {
        let id = run_of(&api, workflow).await["id"].as_str().unwrap().to_owned();
        let export = home.onward(&["runs", "export", &id]).await.good().out;
        pack(export.as_bytes(), &folder.join("runs").join(format!("{workflow}.json.gz")));
    }
    server.kill().await;
    // One file: what is in the log is brought into it by whoever opens it last.
    rusqlite::Connection::open(home.database()).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE; VACUUM").unwrap();
    pack(&fs::read(home.database()).unwrap(), &folder.join("onward.db.gz"));

    let home = Home::on_postgres();
    let server = Server::start(&home).await;
    live(&server.api(&home).await).await;
    server.kill().await;
    let dump = Command::new("pg_dump").args(["--no-owner", "--no-privileges", "--inserts", home.postgres().unwrap().url()]).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    pack(&dump.stdout, &folder.join("postgres.sql.gz"));
}

#[tokio::test]
async fn histories_of_earlier_releases_replay() {
    if let Ok(name) = std::env::var("ONWARD_RECORD") {
        record(&name).await;
    }
    let releases = releases();
    assert!(!releases.is_empty());
    for release in releases {
        for packed in fs::read_dir(release.join("runs")).unwrap() {
            let packed = packed.unwrap().path();
            let home = Home::fresh();
            home.write("run.json", &String::from_utf8(unpack(&packed)).unwrap());
            let replayed = home.onward(&["replay", "run.json", "--json"]).await;
            assert_eq!(replayed.code, 0, "{}: {}{}", packed.display(), replayed.out, replayed.err);
            assert_eq!(replayed.json()["runs"][0]["same"], true, "{}: {}", packed.display(), replayed.out);
        }
    }
}

/// What was in flight when the earlier release ended goes on, and comes to the end that it would have had there.
async fn goes_on(home: &Home, release: &Path) {
    let server = Server::start(home).await;
    // The database has tokens of its own by the names that tests use.
    let token = home.onward(&["token", "add", "upgrade"]).await.good().out;
    let api = Api::new(&server.url(), token.trim());
    let what = release.display();
    // What had ended is as it was, and replays from the database, too.
    for (workflow, status) in ENDED {
        let run = run_of(&api, workflow).await;
        assert_eq!(run["status"], status, "{what}: {run:#}");
        let replayed = home.onward(&["replay", run["id"].as_str().unwrap(), "--json"]).await.good().json();
        assert_eq!(replayed["runs"][0]["same"], true, "{what}: {replayed:#}");
    }
    let slept = comes_to(&api, "sleeper", "completed").await;
    let history = api.history(slept["id"].as_str().unwrap()).await;
    assert!(history.iter().any(|entry| entry["kind"] == "timer_fired"), "{what}: {history:#?}");

    for workflow in ["listener", "long", "long-scripted"] {
        assert_eq!(run_of(&api, workflow).await["status"], "waiting", "{what}: {workflow}");
    }
    send(&api, "fixture.answer", json!({ "k": "b", "text": "not for us" })).await;
    send(&api, "fixture.answer", json!({ "k": "a", "text": "hello" })).await;
    assert_eq!(comes_to(&api, "listener", "completed").await["output"], "hello", "{what}");
    comes_to(&api, "long", "completed").await;
    assert_eq!(comes_to(&api, "long-scripted", "completed").await["output"], json!({ "n": 60, "text": "hello" }), "{what}");

    let asking = run_of(&api, "asking").await["id"].as_str().unwrap().to_owned();
    home.onward(&["runs", "answer", &asking, "--approve"]).await.good();
    api.run_in(&asking, "completed").await;

    let failing = run_of(&api, "failing").await["id"].as_str().unwrap().to_owned();
    api.post(&format!("/api/v1/runs/{failing}/skip"), &json!({})).await.expect(202);
    eventually("the step that failed is left out", || async { (api.get(&format!("/api/v1/runs/{failing}")).await["status"] == "completed").then_some(()) })
        .await;

    assert_eq!(run_of(&api, "held").await["status"], "held", "{what}");
    api.post("/api/v1/workflows/held/resume", &json!({})).await;
    comes_to(&api, "held", "completed").await;
    // And what is new is as new as ever.
    send(&api, "fixture.undone", json!({})).await;
    eventually("a new run ends", || async {
        let runs = api.all("/api/v1/runs?workflow=undone").await;
        (runs.len() == 2 && runs.iter().all(|run| run["status"] == "failed")).then_some(())
    })
    .await;
    assert!(server.stop().await.success(), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_files_of_earlier_releases_migrate_and_go_on() {
    for release in releases() {
        let home = Home::fresh();
        fs::write(home.database(), unpack(&release.join("onward.db.gz"))).unwrap();
        goes_on(&home, &release).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_databases_of_earlier_releases_migrate_and_go_on() {
    for release in releases() {
        let home = Home::on_postgres();
        let dump = home.folder().join("postgres.sql");
        fs::write(&dump, unpack(&release.join("postgres.sql.gz"))).unwrap();
        let read =
            Command::new("psql").args(["--quiet", "--set", "ON_ERROR_STOP=1", "--file"]).arg(&dump).arg(home.postgres().unwrap().url()).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        goes_on(&home, &release).await;
    }
}
