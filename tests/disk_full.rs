//! The disk is full: nothing is half written, the server says so, and goes on by itself once there is room.

use super::harness::{Home, Server, eventually};
use serde_json::json;
use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

const ECHO: &str = "name: keep
on:
  - event: keep.asked
steps:
  - delay: 1s
  - id: echo
    do: debug.echo
    with: { n: \"{{ event.data.n }}\" }
";

/// A small disk of its own, with some room above what intake leaves alone; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=320m", "onward-test"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_heals_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        println!("no small disk can be mounted here (that takes root): skipped");
        return;
    };
    let home = Home::at(folder.path());
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    api.publish("keep", ECHO).await;
    let event = |n: usize| json!({ "type": "keep.asked", "source": "test", "id": n.to_string(), "data": { "n": n } });
    let note = |answer: &super::harness::Answer| answer.body["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    let mut acknowledged = Vec::new();
    for n in 0..20 {
        acknowledged.push(note(&api.post("/api/v1/events", &event(n)).await));
    }

    let filler = folder.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    let block = vec![0; 1 << 20];
    while file.write_all(&block).is_ok() {}
    // What is new is refused before anything is written.
    let refused = api.post("/api/v1/events", &event(20)).await;
    assert_eq!((refused.status, refused.body["code"].as_str()), (503, Some("disk_low")), "{}", refused.text);
    assert_eq!(refused.headers["retry-after"], "60");
    assert_eq!(api.ask("/readyz").await.status, 503);
    // People may still write; the log may have room of its own, and when that is used up, their commits fail whole.
    let mut made = 0;
    let failed = loop {
        let answer = api.post("/api/v1/contacts", &json!({ "name": "Asha Rao", "fields": { "text": "x".repeat(5_000) } })).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
    };
    assert!([503, 507].contains(&failed.status), "{} {}", failed.status, failed.text);
    assert_eq!(failed.headers["content-type"], "application/problem+json");
    assert_eq!(api.ask("/healthz").await.status, 200, "it stays up");

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    let id = eventually("events are taken again", || async {
        let answer = api.post("/api/v1/events", &event(20)).await;
        (answer.status == 202).then(|| note(&answer))
    })
    .await;
    acknowledged.push(id);
    for id in &acknowledged {
        api.run_in(id, "completed").await;
    }
    assert_eq!(api.all("/api/v1/runs?workflow=keep").await.len(), acknowledged.len(), "what was refused has left nothing");
    assert_eq!(api.all("/api/v1/contacts?q=Asha").await.len(), made, "each commit was whole or not at all");
}
