//! `onward serve --demo`, and the example that a newcomer runs.

use super::harness::{Api, Home, Server, eventually, workspace};
use onward_core::Value;
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;

fn kept(home: &Home) -> Value {
    let path = home.folder().join("onward.db.demo");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_is_complete_and_remembers_itself() {
    let home = Home::fresh();
    let server = Server::start_with(&home, "127.0.0.1:0", &["--demo"]).await;
    let kept_first = kept(&home);
    let sign_in = json!({ "email": "demo@example.com", "password": kept_first["password"] });
    let api = Api::new(&server.url(), kept_first["token"].as_str().unwrap());
    api.post("/api/v1/auth/sign-in", &sign_in).await.expect(200);
    let workflows: Vec<String> = api.all("/api/v1/workflows").await.iter().map(|workflow| workflow["name"].to_string()).collect();
    assert!(workflows.iter().any(|name| name == "\"first-reply\""), "{workflows:?}");
    // The connection reaches the sandbox, and calls reach nothing else on this machine.
    home.onward(&["connection", "test", "sandbox"]).await.good();
    let refused = api.post("/api/v1/workflows/http-call/runs", &json!({ "input": { "url": format!("{}/healthz", server.url()) } })).await.expect(202);
    let id = refused["run_id"].as_str().unwrap().to_owned();
    let run = eventually("the guarded call ends", || async {
        let run = api.get(&format!("/api/v1/runs/{id}")).await;
        run["ended_at"].is_string().then_some(run)
    })
    .await;
    assert_eq!(run["status"], "failed", "{run:#}");
    assert!(server.stop().await.success());

    let server = Server::start_with(&home, "127.0.0.1:0", &["--demo"]).await;
    assert_eq!(kept(&home), kept_first);
    let api = Api::new(&server.url(), kept_first["token"].as_str().unwrap());
    api.post("/api/v1/auth/sign-in", &sign_in).await.expect(200);
    assert_eq!(api.all("/api/v1/connections").await.len(), 2, "the sandbox and the partner, once each");
    home.onward(&["connection", "test", "sandbox"]).await.good();
    let versions = api.all("/api/v1/workflows/first-reply/versions").await;
    assert_eq!(versions.len(), 1, "the same text is one version");
    assert!(server.stop().await.success());

    // Without its file it makes new secrets, and everything fits together again.
    std::fs::remove_file(home.folder().join("onward.db.demo")).unwrap();
    let server = Server::start_with(&home, "127.0.0.1:0", &["--demo"]).await;
    let kept_anew = kept(&home);
    assert_ne!(kept_anew["password"], kept_first["password"]);
    Api::new(&server.url(), kept_anew["token"].as_str().unwrap()).get("/api/v1/runs").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let script = workspace().join("examples/first-reply/run.sh");
    let output = tokio::process::Command::new(script)
        .env("ONWARD", env!("CARGO_BIN_EXE_onward"))
        .env("TMPDIR", temporary.path())
        .env("NO_COLOR", "1")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if err.contains("curl is needed") {
        println!("the example needs curl, which is not here: skipped");
        return;
    }
    assert!(output.status.success(), "{out}\n{err}");
    for part in ["waits for message.received", "takes branch 2", "same decisions"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "its folder is gone");
}
