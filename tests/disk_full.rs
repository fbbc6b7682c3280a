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

/// A small disk of its own; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "onward-test"]).arg(at).output().ok()?;
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
    let event = |n: usize| json!({ "type": "keep.asked", "source": "test", "id": n.to_string(), "data": { "n": n, "text": "x".repeat(20_000) } });
    let mut acknowledged = Vec::new();
    let note = |answer: &super::harness::Answer| answer.body["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    acknowledged.push(note(&api.post("/api/v1/events", &event(0)).await));

    let filler = folder.path().join("filler");
    let mut file = File::create(&filler).unwrap();
    let block = vec![0; 64 << 10];
    while file.write_all(&block).is_ok() {}
    // The log may still have room of its own; when that is used up, events are refused.
    let mut refused = None;
    for n in 1..3_000 {
        let answer = api.post("/api/v1/events", &event(n)).await;
        if answer.status != 202 {
            refused = Some((n, answer));
            break;
        }
        acknowledged.push(note(&answer));
    }
    let (n, answer) = refused.expect("a full disk refuses events");
    assert!([503, 507].contains(&answer.status), "{} {}", answer.status, answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(api.ask("/healthz").await.status, 200, "it stays up");

    drop(file);
    std::fs::remove_file(&filler).unwrap();
    let id = eventually("events are taken again", || async {
        let answer = api.post("/api/v1/events", &event(n)).await;
        (answer.status == 202).then(|| note(&answer))
    })
    .await;
    acknowledged.push(id);
    for id in &acknowledged {
        api.run_in(id, "completed").await;
    }
    assert_eq!(api.all("/api/v1/runs?workflow=keep").await.len(), acknowledged.len(), "what was refused has left nothing");
}
